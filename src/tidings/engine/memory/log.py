"""The log: topics, records in order, and throwaway looks at them.

A partition is a list of records. All partitions share one counter, so offsets rise within each and have gaps.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from operator import attrgetter

from tidings.clock import MICRO, Clock
from tidings.engine.memory import retention
from tidings.engine.memory.reader import MemoryReader, alive
from tidings.engine.memory.tables import LogTables, Seat, StoreTables, closed
from tidings.engine.port import Extent, Reader, Seated, Topic
from tidings.engine.unit import Batch, Event, Failed, Mark, Partition, Record, Unknown
from tidings.engine.wake import Wake
from tidings.errors import Refused, Truncated

OFFSET = attrgetter("offset")


class MemoryLog:
    """`groups`: the store beside it, where log and store are one; only then does retention know who reads."""

    def __init__(self, tables: LogTables, groups: StoreTables | None, clock: Clock, wake: Wake) -> None:
        self._tables, self._groups, self.clock, self.wake = tables, groups, clock, wake

    @property
    def t(self) -> LogTables:
        if self._tables.closed:
            raise closed()
        return self._tables

    # ---- topics and seats ----

    async def declare(self, topics: Sequence[Topic]) -> None:
        for topic in topics:
            old = self.t.topics.get(topic.name, topic)
            if (old.partitions, old.compact) != (topic.partitions, topic.compact):
                raise Refused(
                    f"topic {topic.name!r}: stored with {_shape(old)}, declared with {_shape(topic)}",
                    hint="declare it as it is stored, or tell the events to a topic of another name",
                )
        self.t.topics.update({topic.name: topic for topic in topics})

    async def topics(self) -> Sequence[Topic]:
        return [self.t.topics[name] for name in sorted(self.t.topics)]

    async def join(self, group: str, topics: Sequence[str], member: str) -> Reader:
        partitions = [part for topic in topics for part in self.t.partitions(topic)]
        self.t.seats[group][member] = Seat(left=self.clock.monotonic())
        self.wake.call()
        return MemoryReader(self, group, partitions, member)

    # ---- records ----

    def append(self, events: Iterable[Event], marks: Sequence[Mark] = ()) -> list[int]:
        offsets, now = [], self.clock.now()
        for n, e in enumerate(events):
            mark = marks[n] if marks else None
            record = Record(self.t.next, now, e.key, e.head, e.data, mark)
            self.t.records[Partition(str(e.topic), e.partition)].append(record)
            offsets.append(record.offset)
            self.t.next += 1
        return offsets

    def impossible(self, event: Event) -> str:
        """Why this event can be in no topic; "" where it can."""
        topic = self.t.topics.get(str(event.topic))
        if topic is None:
            return f"no topic {event.topic!r} was declared"
        if not 0 <= event.partition < topic.partitions:
            return f"topic {topic.name!r} has no partition {event.partition}"
        return ""

    async def send(self, events: Sequence[Event], marks: Sequence[Mark] = ()) -> Sequence[int | Failed | Unknown]:
        reasons = [reason for e in events if (reason := self.impossible(e))]
        if reasons:
            return [Failed(reasons[0])] * len(events)
        offsets = self.append(events, marks)
        self.wake.call()
        return offsets

    def scan(self, start: Mapping[Partition, int], limit: int, size: int) -> tuple[dict[Partition, list[Record]], int]:
        """Records at or after these offsets, lowest offset first; and the offset below which nothing was left out."""
        found: dict[Partition, list[Record]] = {}
        for part, record in merge(*(self._since(*each) for each in start.items()), key=lambda pair: OFFSET(pair[1])):
            limit, size = limit - 1, size - retention.weight(record)
            if found and (limit < 0 or size < 0):
                return found, record.offset
            found.setdefault(part, []).append(record)
        return found, self.t.next

    def _since(self, part: Partition, offset: int) -> Iterator[tuple[Partition, Record]]:
        if offset < self.t.first.get(part, 0):
            raise Truncated(*part, self.t.first[part])
        records = self.t.records[part]
        return ((part, records[n]) for n in range(bisect_left(records, offset, key=OFFSET), len(records)))

    async def read(self, start: Mapping[Partition, int], limit: int) -> Sequence[Batch]:
        found, end = self.scan(start, limit, 8 << 20)
        return [Batch(part, 0, records, end) for part, records in found.items()]

    # ---- places ----

    async def extents(self, topics: Sequence[str]) -> Sequence[Extent]:
        return [
            Extent(part, self.t.first.get(part, 0), self.t.next, sum(map(retention.weight, self.t.records[part])))
            for topic in topics
            for part in self.t.partitions(topic)
        ]

    async def at(self, topic: str, time: int) -> Mapping[Partition, int]:
        return {
            part: next((r.offset for r in self.t.records[part] if r.time >= time), self.t.next)
            for part in self.t.partitions(topic)
        }

    async def members(self, group: str | None = None) -> Sequence[Seated]:
        now, elapsed = self.clock.now(), self.clock.monotonic()
        return [
            Seated(
                name, member, alive(seat, elapsed), now - (0 if seat.awaited else int((elapsed - seat.left) * MICRO))
            )
            for name, seats in sorted(self.t.seats.items())
            for member, seat in sorted(seats.items())
            if group in (None, name)
        ]

    async def lag(self, at: Mapping[Partition, int]) -> Mapping[Partition, int]:
        return {part: sum(r.offset >= offset for r in self.t.records[part]) for part, offset in at.items()}

    async def sweep(self, limit: int) -> int:
        gone = retention.sweep(self.t, self._groups, self.clock.now(), limit)
        if gone:
            self.wake.call()
        return gone


def _shape(topic: Topic) -> str:
    return f"{topic.partitions} partitions{', compacted' if topic.compact else ''}"
