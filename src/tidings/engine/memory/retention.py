"""Retention and compaction: what may go, and who must be told that it went.

    keep         records older than so many seconds go           (not past the slowest group with hold_for_groups)
    keep_bytes   the oldest go until the partition is that small  (a cap: groups do not stop it)
    compact      of each key the last value stays; instead of both above. A tombstone goes when every group is past it

A group whose progress is below what age or size took is paused, in the same step, with what it lost.
"""

from __future__ import annotations

from tidings.clock import MICRO
from tidings.engine.memory.tables import LogTables, ProgressRow, StoreTables
from tidings.engine.port import Topic
from tidings.engine.unit import Partition, Record

TRUNCATED = "truncated: "  # how the reason of a pause begins that a reset lifts


def sweep(log: LogTables, groups: StoreTables | None, now: int, limit: int) -> int:
    """How many records went, at most `limit`."""
    left = limit
    for topic in log.topics.values():
        for part in log.partitions(topic.name):
            rows = [row for (_, p), row in groups.progress.items() if p == part] if groups else []
            slowest = min((row.next for row in rows), default=log.next)
            records = log.records[part]
            if topic.compact:
                going = _superseded(records, slowest, topic.hold_for_groups)[:left]
            else:
                going = records[: min(left, max(_old(records, topic, now, slowest), _over(records, topic)))]
                _mark(log, part, going, rows)
            gone = {record.offset for record in going}
            log.records[part] = [record for record in records if record.offset not in gone]
            left -= len(gone)
    return limit - left


def _old(records: list[Record], topic: Topic, now: int, slowest: int) -> int:
    """How many, from the oldest on, are past their time."""
    if topic.keep is None:
        return 0
    before = now - int(topic.keep * MICRO)
    held = slowest if topic.hold_for_groups else records[-1].offset + 1 if records else 0
    young = (n for n, record in enumerate(records) if record.time >= before or record.offset >= held)
    return next(young, len(records))


def _over(records: list[Record], topic: Topic) -> int:
    """How many, from the oldest on, are more than the partition may hold."""
    if topic.keep_bytes is None:
        return 0
    size = sum(map(weight, records))
    for n, record in enumerate(records):
        if size <= topic.keep_bytes:
            return n
        size -= weight(record)
    return len(records)


def _superseded(records: list[Record], slowest: int, hold: bool) -> list[Record]:
    last = {record.key: record.offset for record in records if record.key is not None}

    def goes(record: Record) -> bool:
        passed = record.offset < slowest
        if record.key is None or (hold and not passed):
            return False
        return record.offset < last[record.key] or (record.data is None and passed)

    return [record for record in records if goes(record)]


def _mark(log: LogTables, part: Partition, going: list[Record], rows: list[ProgressRow]) -> None:
    """Say where the partition begins now, and pause the groups that still wanted what went."""
    if going:
        log.first[part] = going[-1].offset + 1
    for row in rows:
        lost = [record.offset for record in going if record.offset >= row.next]
        if lost:
            known = row.paused is not None and row.paused.startswith(TRUNCATED)
            first = row.paused.removeprefix(TRUNCATED).partition("..")[0] if row.paused and known else lost[0]
            row.paused = f"{TRUNCATED}{first}..{lost[-1]}"
            row.held_gen += 1


def weight(record: Record) -> int:
    """Bytes that are the user's."""
    return len(record.key or b"") + len(record.head) + len(record.data or b"")
