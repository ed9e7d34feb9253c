"""The log: topics, seats, looks, places, sending."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from uuid import uuid4

import apsw

from tidings.engine.port import Extent, Reader, Seated, Topic
from tidings.engine.sqlite.catalog import read_catalog
from tidings.engine.sqlite.core import Core
from tidings.engine.sqlite.reader import SqliteReader
from tidings.engine.sqlite.retention import FOREVER
from tidings.engine.sqlite.scan import scan
from tidings.engine.sqlite.seats import Seat, roster
from tidings.engine.sqlite.sizes import places
from tidings.engine.sqlite.sql import SQL, rows_of
from tidings.engine.sqlite.sweep import sweep
from tidings.engine.sqlite.turn import Turn
from tidings.engine.unit import Batch, Committed, Event, Failed, Mark, Partition, Unit, Unknown
from tidings.errors import Refused

SIZE = 8 << 20  # bytes of one look


class SqliteLog:
    def __init__(self, core: Core) -> None:
        self._core = core

    # ---- topics and seats ----

    async def declare(self, topics: Sequence[Topic]) -> None:
        await self._core.do(lambda turn: _declare(turn, topics))
        self._core.reads.refresh()

    async def topics(self) -> Sequence[Topic]:
        catalog = self._core.reads.refresh()
        return [catalog.topics[name] for name in sorted(catalog.topics)]

    async def join(self, group: str, topics: Sequence[str], member: str) -> Reader:
        reads = self._core.reads
        counts = {name: reads.topic(name).partitions for name in topics}
        partitions = [Partition(name, number) for name, count in counts.items() for number in range(count)]
        seat = Seat(self._core, group, partitions, member)
        await seat.take()
        return SqliteReader(self._core, seat)

    async def members(self, group: str | None = None) -> Sequence[Seated]:
        return roster(self._core, group)

    # ---- records ----

    async def read(self, start: Mapping[Partition, int], limit: int) -> Sequence[Batch]:
        reads = self._core.reads
        parts = {reads.tp(part): part for part in start}
        starts = {tp: start[part] for tp, part in parts.items()}
        cursor = min(starts.values(), default=0)
        while True:
            found = scan(reads, starts, cursor, limit, SIZE)
            batches = [
                Batch(parts[tp], 0, records, records[-1].offset + 1 if tp in found.ill else found.end)
                for tp, records in found.records.items()
                if records
            ]
            for tp, error in found.ill.items():
                if not found.records.get(tp):  # before others, or whoever goes on from their `next` would miss it
                    raise error
            if batches:
                return batches
            if found.whole:
                return []
            cursor = found.end
            await asyncio.sleep(0)

    async def send(self, events: Sequence[Event], marks: Sequence[Mark] = ()) -> Sequence[int | Failed | Unknown]:
        """One unit without conditions. `marks` are of a relay, and nobody relays into this log."""
        if marks:
            raise Refused("a log in SQLite keeps no stamps of a relay", hint="commit to its store: that is publishing")
        answer = (await self._core.writer.put([Unit(events=events, receipt=True)]))[0]
        if not isinstance(answer, Committed):
            return [answer] * len(events)
        return _offsets(answer.receipt, events)

    # ---- places ----

    async def extents(self, topics: Sequence[str]) -> Sequence[Extent]:
        names = [self._core.reads.topic(name).name for name in topics]
        catalog = self._core.reads.catalog
        found, end = await places(self._core)
        return [
            Extent(Partition(name, number), found[tp].first, end, found[tp].bytes, catalog.identities[name])
            for name in names
            for number, tp in catalog.tps[name].items()
        ]

    async def at(self, topic: str, time: int) -> Mapping[Partition, int]:
        """By halving: times rise with offsets, but for a clock that was set back."""
        reads = self._core.reads
        parts = [Partition(topic, number) for number in range(reads.topic(topic).partitions)]
        offset = reads.first_at(time)
        return {part: max(offset, reads.all(SQL["begins"], (reads.tp(part),))[0][0]) for part in parts}

    async def lag(self, at: Mapping[Partition, int]) -> Mapping[Partition, int]:
        """Exact; one pass over what lies behind, away from the loop."""
        tps = {self._core.reads.tp(part): offset for part, offset in at.items()}
        counts = await self._core.users.run(partial(_counts, tps))
        return {part: counts[tp] for part, tp in zip(at, tps, strict=True)}

    async def sweep(self, limit: int) -> int:
        return await sweep(self._core, limit)


def _declare(turn: Turn, topics: Sequence[Topic]) -> None:
    for topic in topics:
        old = turn.catalog.topics.get(topic.name)
        if old is not None and (old.partitions, old.compact) != (topic.partitions, topic.compact):
            raise Refused(
                f"topic {topic.name!r}: stored with {_shape(old)}, declared with {_shape(topic)}",
                hint="declare it as it is stored, or tell the events to a topic of another name",
            )
        if old == topic:
            continue
        values = (topic.name, topic.partitions, topic.keep, topic.keep_bytes, topic.compact, topic.hold_for_groups)
        turn.c.execute(SQL["topic_put"], (*values, uuid4().hex))
        turn.c.execute(SQL["declared"])
        if old is None:
            turn.c.executemany(SQL["part_put"], [(topic.name, n, turn.pos) for n in range(topic.partitions)])
        turn.catalog = read_catalog(turn.c)


def _counts(starts: Mapping[int, int], c: apsw.Connection) -> Counter[int]:
    """How many records each partition has from its start on: the ranges between two starts, each looked at once."""
    found: Counter[int] = Counter()
    offsets = sorted(set(starts.values()))
    for begin, end in pairwise([*offsets, FOREVER]):
        tps = json.dumps([tp for tp, start in starts.items() if start <= begin])
        found.update(dict(rows_of(c, SQL["count"], (begin, end, tps))))
    return found


def _shape(topic: Topic) -> str:
    return f"{topic.partitions} partitions{', compacted' if topic.compact else ''}"


def _offsets(receipt: str, events: Sequence[Event]) -> list[int]:
    """Each event's own, from the offsets of each partition in the order told."""
    left = {(topic, number): iter(offsets) for topic, number, offsets in json.loads(receipt)}
    return [next(left[str(e.topic), e.partition]) for e in events]
