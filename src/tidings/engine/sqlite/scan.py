"""Looking through the log: rows in commit order, filtered by partition, each checked against its seal.

There is no index but the position. A look that finds nothing for its partitions would go through the whole log, and the
loop would stand still meanwhile: so every 4096th position comes along, whoever's it is, and tells when `WINDOW`
positions are behind. There is no upper bound in the statement: a position that was flipped on the disk is out of order,
and a bound would end the look there, in silence; like this it is met, and its seal does not fit.
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
REACH, SCAN, SCAN_ALL, FIRSTS = SQL["reach"], SQL["scan"], SQL["scan_all"], SQL["firsts"]


@dataclass
class Found:
    """Below `end` nothing was left out. `whole`: that is the end of the log. `ill`: partitions that cannot go on."""

    records: dict[int, list[Record]] = field(default_factory=dict)
    end: int = 0
    whole: bool = True
    ill: dict[int, EngineError] = field(default_factory=dict)


def scan(reads: Reads, starts: Mapping[int, int], begin: int, limit: int, size: int) -> Found:
    """Records of these partitions (by tp) from `begin` on, none below its partition's own start. At most `limit` rows
    and about `size` bytes."""
    with reads.snapshot() as c:
        reach, lost = rows_of(c, REACH)[0]
        found = Found(end=max(begin, reach))
        if lost > begin:
            _truncated(reads, c, starts, begin, found)
        if begin < reach:
            _collect(reads, c, starts, (begin, reach, limit, size), found)
    return found


def _truncated(reads: Reads, c: apsw.Connection, starts: Mapping[int, int], begin: int, found: Found) -> None:
    for tp, first in c.execute(FIRSTS, (begin,)):
        if tp in starts and starts[tp] < first:
            found.ill[tp] = Truncated(*reads.catalog.parts[tp], first)


def _collect(
    reads: Reads, c: apsw.Connection, starts: Mapping[int, int], bounds: tuple[int, int, int, int], found: Found
) -> None:
    begin, reach, limit, size = bounds
    ill, parts = found.ill, reads.catalog.parts
    if len(starts) == len(parts):
        rows = c.execute(SCAN_ALL, (begin, limit))
    else:
        rows = c.execute(SCAN, (begin, json.dumps(list(starts)), limit))
    found.records = {tp: [] for tp in starts}
    open_ = {tp: got for tp, got in found.records.items() if tp not in ill}
    even = max(starts.values(), default=0) <= begin
    last, more = begin + WINDOW, False
    count, passed, broken = 0, begin - 1, begin - 1
    for count, (pos, tp, key, time, head, data, crc) in enumerate(rows, 1):  # noqa: B007 -- looked at below
        if seal(pos, tp, time, key, head, data) != crc:
            if broken < pos < reach:
                broken = pos
            if (tp in open_ and pos >= starts[tp]) or (tp not in parts and pos >= begin):
                ill[tp] = _corrupt(reads, tp, pos)
                open_.pop(tp, None)
            continue
        if pos <= passed:
            continue  # the search was led astray by a number out of order: this one was met before
        passed = pos
        got = open_.get(tp)
        if got is not None and (even or pos >= starts[tp]):
            got.append(Record(pos, time, key, head, data))
            size -= len(head) if data is None else len(head) + len(data)
            more = size <= 0
        else:
            more = pos >= last
        if more:
            rows.close()
            break
    if more or count >= limit:
        found.end, found.whole = (passed if passed >= begin else broken) + 1, False


def _corrupt(reads: Reads, tp: int, pos: int) -> Corrupt:
    """A partition that is unknown is itself the flipped field."""
    part = reads.catalog.parts.get(tp)
    return Corrupt(part.topic if part else "?", part.number if part else tp, pos)
