"""Compaction: of each key the last record stays. A tombstone (no data) goes too when every group is past it.

`tidings_latest` keeps the last position of each key, filled from `tidings_topic.swept` on, so that each record is
looked at once, whatever the size of the log. With `hold_for_groups` nothing goes that some group has still to read.
Nobody is marked truncated: only what a later record of the same key replaced is gone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import NamedTuple

import apsw

from tidings.engine.port import Topic
from tidings.engine.sqlite.catalog import Catalog
from tidings.engine.sqlite.retention import WINDOW, Row, slowest
from tidings.engine.sqlite.sql import SQL, rows_of, value_of
from tidings.engine.sqlite.turn import Turn


class Latest(NamedTuple):
    tp: int
    key: bytes
    pos: int
    grave: int


@dataclass
class Replacing:
    """What one step finds. `graves`: tombstones that every group is past."""

    latest: list[Latest] = field(default_factory=list)
    graves: list[Latest] = field(default_factory=list)
    swept: dict[str, int] = field(default_factory=dict)


def look(c: apsw.Connection, catalog: Catalog, topic: Topic, found: Replacing, limit: int, end: int) -> None:
    """Records that came since the last look: each replaces the one before of its key."""
    tps = list(catalog.tps[topic.name].values())
    begin = int(value_of(c, SQL["swept"], (topic.name,)))
    if topic.hold_for_groups:
        end = min([end, *(slowest(c, tp) for tp in tps)])
    last = min(end, begin + WINDOW)
    if begin >= last or limit <= 0:
        return
    rows = rows_of(c, SQL["compact_look"], (begin, last, json.dumps(tps), limit))
    found.latest += [Latest(*row) for row in rows]
    found.swept[topic.name] = rows[-1][2] + 1 if len(rows) == limit else last


def look_at_graves(c: apsw.Connection, found: Replacing, limit: int) -> None:
    at: dict[int, int] = {}
    for row in rows_of(c, SQL["graves"], (max(limit, 0),)):
        grave = Latest(*row)
        if grave.tp not in at:
            at[grave.tp] = slowest(c, grave.tp)
        if grave.pos < at[grave.tp]:
            found.graves.append(grave)


def compact(turn: Turn, found: Replacing) -> list[Row]:
    """The rows that go now."""
    going: list[Row] = []
    for new in found.latest:
        before = rows_of(turn.c, SQL["latest"], (new.tp, new.key))
        if before and before[0][0] >= new.pos:
            continue  # another sweeper was here
        turn.c.execute(SQL["latest_put"], new)
        if before:
            going.append(_row(turn, before[0][0], new.tp))
    for grave in found.graves:
        turn.c.execute(SQL["latest_drop"], (grave.tp, grave.key, grave.pos))
        if turn.c.changes():
            going.append(_row(turn, grave.pos, grave.tp))
    turn.c.executemany(SQL["swept_set"], found.swept.items())
    return going


def _row(turn: Turn, pos: int, tp: int) -> Row:
    found = rows_of(turn.c, SQL["record_size"], (pos,))
    return Row(pos, tp, int(found[0][0]) if found else 0)
