"""Retention by age and size: which records go, and who is told.

    keep         records older than so many seconds go             (not past the slowest group with hold_for_groups)
    keep_bytes   the oldest go until the partition is that small   (a cap on disk: groups do not stop it)

Retention wins: a group that had not read what goes is marked truncated and paused in the same commit, with what it
lost. `tidings_topic.swept`: below it no record of the topic is left, so that none is looked at twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import apsw

from tidings.clock import MICRO
from tidings.engine.port import Topic
from tidings.engine.sqlite.catalog import Catalog
from tidings.engine.sqlite.sizes import Place
from tidings.engine.sqlite.sql import SQL, rows_of, value_of
from tidings.engine.sqlite.turn import Turn

TRUNCATED = "truncated: "  # how the reason of a pause begins that a reset lifts
WINDOW = 100_000  # positions looked at in one go
FOREVER = 1 << 62


class Row(NamedTuple):
    """A record that goes. `capped`: by the cap on disk, which waits for nobody."""

    pos: int
    tp: int
    bytes: int
    capped: bool = False


@dataclass
class Going:
    """What one step takes, and how far each topic was looked at."""

    rows: list[Row] = field(default_factory=list)
    swept: dict[str, int] = field(default_factory=dict)


def slowest(c: apsw.Connection, tp: int) -> int:
    """Where the slowest group of a partition is; for ever away where no group reads it."""
    found = value_of(c, SQL["slowest"], (tp,))
    return FOREVER if found is None else int(found)


# ---- looking ----


class Look:
    """One topic's records from the oldest on, up to the first of each partition that must stay."""

    def __init__(self, c: apsw.Connection, catalog: Catalog, topic: Topic, places: Mapping[int, Place]) -> None:
        self._c, self._topic = c, topic
        self._left = set(catalog.tps[topic.name].values())
        cap = topic.keep_bytes
        self._over = {tp: max(0, places[tp].bytes - cap) if cap is not None else 0 for tp in self._left}
        self._held = {tp: slowest(c, tp) if topic.hold_for_groups else FOREVER for tp in self._left}
        self._stays: list[int] = []

    def into(self, going: Going, now: int, limit: int, end: int) -> None:
        topic = self._topic
        if topic.keep is None and not any(self._over.values()):
            return
        before = now - int(topic.keep * MICRO) if topic.keep is not None else -FOREVER
        begin = int(value_of(self._c, SQL["swept"], (topic.name,)))
        last, at = min(end, begin + WINDOW), begin
        while self._left and at < last and limit > 0:
            rows = rows_of(self._c, SQL["sweep_look"], (at, last, json.dumps(sorted(self._left)), limit))
            at = rows[-1][0] + 1 if len(rows) == limit else last
            for row in rows:
                limit -= self._judge(row, before, going)
        swept = min([at, *self._stays])
        if swept > begin:
            going.swept[topic.name] = swept

    def _judge(self, row: Sequence[int], before: int, going: Going) -> bool:
        pos, tp, time, size = row
        if tp not in self._left:
            return False
        capped = self._over[tp] > 0
        if capped or (time < before and pos < self._held[tp]):
            going.rows.append(Row(pos, tp, size, capped))
            self._over[tp] -= size
            return True
        self._stays.append(pos)
        self._left.discard(tp)
        return False


# ---- taking ----


def retain(turn: Turn, catalog: Catalog, going: Going) -> list[Row]:
    """The rows that may still go (a group may have come or gone back since the look), and its marks on those behind."""
    need = {tp: slowest(turn.c, tp) for tp in {r.tp for r in going.rows} if _holds(catalog, tp)}
    stays: dict[int, int] = {}
    rows = []
    for row in going.rows:
        if row.tp in stays or (not row.capped and row.pos >= need.get(row.tp, FOREVER)):
            stays.setdefault(row.tp, row.pos)
        else:
            rows.append(row)
    firsts = {row.tp: row.pos + 1 for row in rows}
    for tp, first in firsts.items():
        _truncate(turn, tp, first)
        turn.c.execute(SQL["part_first"], (tp, first))
    for name, swept in going.swept.items():
        turn.c.execute(
            SQL["swept_set"], (name, min([swept, *(stays[tp] for tp in catalog.tps[name].values() if tp in stays)]))
        )
    return rows


def _holds(catalog: Catalog, tp: int) -> bool:
    return catalog.topics[catalog.parts[tp].topic].hold_for_groups


def _truncate(turn: Turn, tp: int, first: int) -> None:
    for group, at, paused in rows_of(turn.c, SQL["behind"], (tp, first)):
        lost = value_of(turn.c, SQL["lost_first"], (tp, at))
        if lost is not None and lost < first:
            since = paused.split("..")[0] if paused and paused.startswith(TRUNCATED) else f"{TRUNCATED}{lost}"
            turn.c.execute(SQL["truncate"], (group, tp, f"{since}..{first - 1}"))
