"""Retention by age and size: which records go, and who is told.

    keep         records older than so many seconds go             (not past the slowest group with hold_for_groups)
    keep_bytes   the oldest go until the partition is that small   (a cap on disk: groups do not stop it)

Retention wins: a group that had not read what goes is marked truncated and paused in the same commit, with what it
lost. `tidings_topic.swept`: below it no record of the topic is left, so that none is looked at twice. Rows of progress
are locked before they are judged by, so no group can go back in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tidings.clock import MICRO
from tidings.engine.port import Topic
from tidings.engine.postgres.catalog import Catalog
from tidings.engine.postgres.pool import Connection, run
from tidings.engine.postgres.sizes import Place

TRUNCATED = "truncated: "  # how the reason of a pause begins that a reset lifts
WINDOW = 100_000  # positions looked at in one go
FOREVER = 1 << 62


class Row(NamedTuple):
    """A record that goes."""

    pos: int
    tp: int
    bytes: int


@dataclass
class Going:
    """What one step takes. `moved`: some topic was looked at further than before."""

    rows: list[Row] = field(default_factory=list)
    moved: bool = False


async def slowest(c: Connection, tps: Sequence[int]) -> dict[int, int]:
    """Where the slowest group of each partition is, and it stays there; for ever away where no group reads it."""
    found = dict(await run(c, "slowest", tps=list(tps)))
    return {tp: found.get(tp, FOREVER) for tp in tps}


class Look:
    """One topic's records from the oldest on, up to the first of each partition that must stay."""

    def __init__(self, c: Connection, catalog: Catalog, topic: Topic, places: Mapping[int, Place]) -> None:
        self._c, self._topic = c, topic
        self._left = set(catalog.tps[topic.name].values())
        cap = topic.keep_bytes
        self._over = {tp: max(0, places[tp].bytes - cap) if cap is not None else 0 for tp in self._left}
        self._held: dict[int, int] = {}
        self._stays: list[int] = []

    async def into(self, going: Going, now: int, limit: int, end: int) -> None:
        topic, c = self._topic, self._c
        if topic.keep is None and not any(self._over.values()):
            return
        if topic.hold_for_groups:
            self._held = await slowest(c, sorted(self._left))
        before = now - int(topic.keep * MICRO) if topic.keep is not None else -FOREVER
        begin = (await run(c, "swept", name=topic.name))[0][0]
        last, at = min(end, begin + WINDOW), begin
        while self._left and at < last and limit > 0:
            rows = await run(c, "sweep_look", begin=at, end=last, tps=sorted(self._left), limit=limit)
            at = rows[-1][0] + 1 if len(rows) == limit else last
            for row in rows:
                limit -= self._judge(row, before, going)
        swept = min([at, *self._stays])
        if swept > begin:
            going.moved = True
            await run(c, "swept_set", name=topic.name, at=swept)

    def _judge(self, row: Sequence[int], before: int, going: Going) -> bool:
        pos, tp, time, size = row
        if tp not in self._left:
            return False
        if self._over[tp] > 0 or (time < before and pos < self._held.get(tp, FOREVER)):
            going.rows.append(Row(pos, tp, size))
            self._over[tp] -= size
            return True
        self._stays.append(pos)
        self._left.discard(tp)
        return False


async def beginnings(c: Connection, firsts: Mapping[int, int]) -> None:
    """Records below these offsets go: partitions begin there, and groups that had still to read some are paused."""
    for tp, first in sorted(firsts.items()):
        for group, at, paused in await run(c, "behind", tp=tp, first=first):
            lost = (await run(c, "lost_first", tp=tp, at=at, first=first))[0][0]
            if lost is not None:
                since = paused.split("..")[0] if paused and paused.startswith(TRUNCATED) else f"{TRUNCATED}{lost}"
                await run(c, "truncate", group=group, tp=tp, reason=f"{since}..{first - 1}")
        await run(c, "part_first", tp=tp, first=first)
