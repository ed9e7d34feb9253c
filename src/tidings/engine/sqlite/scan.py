"""Looking through the log: rows in commit order, filtered by partition, each checked against its seal.

There is no index but the position, so a look is a range of positions: at most `WINDOW` at once, or the loop would stand
still while a member that owns one quiet partition is led past ten million records of others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import apsw

from tidings.engine.sqlite.reads import Reads
from tidings.engine.sqlite.seal import seal
from tidings.engine.sqlite.sql import SQL, rows_of
from tidings.engine.unit import Record
from tidings.errors import Corrupt, EngineError, Truncated

WINDOW = 50_000
REACH, SCAN, SCAN_ALL = SQL["reach"], SQL["scan"], SQL["scan_all"]
FIRSTS, LOG_AFTER = SQL["firsts"], SQL["log_after"]


@dataclass
class Found:
    """Below `end` nothing was left out. `whole`: that is the end of the log. `ill`: partitions that cannot go on."""

    records: dict[int, list[Record]] = field(default_factory=dict)
    end: int = 0
    whole: bool = True
    ill: dict[int, EngineError] = field(default_factory=dict)


def scan(reads: Reads, starts: Mapping[int, int], begin: int, limit: int, size: int) -> Found:
    """Records of these partitions (by tp) from `begin` on, none below its partition's own start."""
    with reads.snapshot() as c:
        reach, lost = rows_of(c, REACH)[0]
        found = Found(end=max(begin, reach))
        if lost > begin:
            _truncated(reads, c, starts, begin, found)
        if begin >= reach:
            return found
        last = min(reach, begin + WINDOW) - 1
        full = _collect(reads, c, starts, (begin, last, limit, size), found)
        if full is not None:
            found.end, found.whole = full, False
        elif last + 1 < reach:
            found.end, found.whole = _leap(c, last + 1, reach, found), False
    return found


def _truncated(reads: Reads, c: apsw.Connection, starts: Mapping[int, int], begin: int, found: Found) -> None:
    for tp, first in c.execute(FIRSTS, (begin,)):
        if tp in starts and starts[tp] < first:
            found.ill[tp] = Truncated(*reads.catalog.parts[tp], first)


def _collect(
    reads: Reads, c: apsw.Connection, starts: Mapping[int, int], bounds: tuple[int, int, int, int], found: Found
) -> int | None:
    """Fill in the records; where to go on if there were too many of them."""
    begin, last, limit, size = bounds
    if len(starts) == len(reads.catalog.parts):
        rows = c.execute(SCAN_ALL, (begin, last, limit))
    else:
        rows = c.execute(SCAN, (begin, last, json.dumps(list(starts)), limit))
    ill, parts = found.ill, reads.catalog.parts
    found.records = {tp: [] for tp in starts}
    open_ = {tp: got for tp, got in found.records.items() if tp not in ill}
    even = max(starts.values(), default=0) <= begin
    count, pos = 0, begin
    for pos, tp, key, time, head, data, crc in rows:
        count += 1
        if seal(pos, tp, time, key, head, data) != crc:
            if tp in open_ or tp not in parts:
                ill[tp] = _corrupt(reads, tp, pos)
                open_.pop(tp, None)
            continue
        got = open_.get(tp)
        if got is None or not (even or pos >= starts[tp]):
            continue  # of a topic that was declared since, of one that is ill, or below the partition's own start
        got.append(Record(pos, time, key, head, data))
        size -= len(head) + (len(data) if data is not None else 0)
        if size <= 0:
            rows.close()
            return int(pos) + 1
    return int(pos) + 1 if count == limit else None


def _corrupt(reads: Reads, tp: int, pos: int) -> Corrupt:
    """A partition that is unknown is itself the flipped field."""
    part = reads.catalog.parts.get(tp)
    return Corrupt(part.topic if part else "?", part.number if part else tp, pos)


def _leap(c: apsw.Connection, end: int, reach: int, found: Found) -> int:
    """Over positions whose records are gone, or one look a window would be spent on nothing."""
    if any(found.records.values()):
        return end
    after = rows_of(c, LOG_AFTER, (end,))
    return int(after[0][0]) if after else reach
