"""The log: topics, seats, looks, places, sending."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from uuid import uuid4

from tidings.engine.port import Extent, Reader, Seated, Topic
from tidings.engine.postgres.commits import Commits
from tidings.engine.postgres.core import Core
from tidings.engine.postgres.pool import run
from tidings.engine.postgres.reader import PostgresReader
from tidings.engine.postgres.scan import scan
from tidings.engine.postgres.seats import Seat, roster
from tidings.engine.postgres.sizes import places
from tidings.engine.postgres.sweep import sweep
from tidings.engine.unit import Batch, Committed, Event, Failed, Mark, Partition, Unit, Unknown
from tidings.errors import Refused

SIZE = 8 << 20  # bytes of one look


class PostgresLog:
    def __init__(self, core: Core, commits: Commits) -> None:
        self._core, self._commits = core, commits

    # ---- topics and seats ----

    async def declare(self, topics: Sequence[Topic]) -> None:
        await self._core.refresh()
        if all(self._core.catalog.topics.get(topic.name) == topic for topic in topics):
            return
        async with self._core.pool.transaction() as c:
            await run(c, "declaring")
            stored = {name: Topic(name, *rest) for name, *rest, _ in await run(c, "topics")}
            for topic in topics:
                old = stored.get(topic.name, topic)
                if (old.partitions, old.compact) != (topic.partitions, topic.compact):
                    raise Refused(
                        f"topic {topic.name!r}: stored with {_shape(old)}, declared with {_shape(topic)}",
                        hint="declare it as it is stored, or tell the events to a topic of another name",
                    )
                await run(
                    c, "topic_put", name=topic.name, partitions=topic.partitions, keep=topic.keep,
                    keep_bytes=topic.keep_bytes, compact=topic.compact, hold=topic.hold_for_groups,
                    identity=uuid4().hex,
                )  # fmt: skip
                await run(c, "parts_put", name=topic.name, partitions=topic.partitions)
        await self._core.refresh()

    async def topics(self) -> Sequence[Topic]:
        catalog = await self._core.refresh()
        return [catalog.topics[name] for name in sorted(catalog.topics)]

    async def join(self, group: str, topics: Sequence[str], member: str) -> Reader:
        counts = {name: (await self._core.topic(name)).partitions for name in topics}
        partitions = [Partition(name, number) for name, count in counts.items() for number in range(count)]
        seat = Seat(self._core, group, partitions, member)
        await seat.take()
        return PostgresReader(self._core, seat)

    async def members(self, group: str | None = None) -> Sequence[Seated]:
        return await roster(self._core, group)

    # ---- records ----

    async def read(self, start: Mapping[Partition, int], limit: int) -> Sequence[Batch]:
        core = self._core
        parts = {await core.tp(part): part for part in start}
        starts = {tp: start[part] for tp, part in parts.items()}
        cursor = min(starts.values(), default=0)
        await core.horizon.reach()
        while True:
            found = await scan(core.pool, core.horizon, core.catalog, starts, cursor, limit, SIZE)
            batches = [
                Batch(parts[tp], 0, records, records[-1].offset + 1 if tp in found.ill else found.end)
                for tp, records in found.records.items()
                if records
            ]
            for tp, error in found.ill.items():
                if not found.records.get(tp):  # before others, or whoever goes on from their `next` would miss it
                    raise error
            if batches or found.whole:
                return batches
            cursor = found.end

    async def send(self, events: Sequence[Event], marks: Sequence[Mark] = ()) -> Sequence[int | Failed | Unknown]:
        """One unit without conditions. `marks` are of a relay, and nobody relays into this log."""
        if marks:
            raise Refused("this log keeps no stamps of a relay", hint="commit to its store: that is publishing")
        answer = (await self._commits.commit([Unit(events=events, receipt=True)]))[0]
        if isinstance(answer, Committed):
            return _offsets(answer.receipt, events)
        assert isinstance(answer, Failed | Unknown)
        return [answer] * len(events)

    # ---- places ----

    async def extents(self, topics: Sequence[str]) -> Sequence[Extent]:
        core = self._core
        names = [(await core.topic(name)).name for name in topics]
        end = await core.horizon.reach() + 1
        found = await places(core.pool, end)
        return [
            Extent(Partition(name, number), found[tp].first, end, found[tp].bytes, core.catalog.identities[name])
            for name in names
            for number, tp in core.catalog.tps[name].items()
        ]

    async def at(self, topic: str, time: int) -> Mapping[Partition, int]:
        """By halving: times rise with offsets, but for a clock that was set back."""
        core = self._core
        await core.topic(topic)
        low, high = 0, await core.horizon.reach() + 1
        while low < high:
            middle = (low + high) // 2
            found = await core.all("log_after", begin=middle)
            if found and found[0][1] < time:
                low = found[0][0] + 1
            else:
                high = middle
        begins = {tp: first for tp, first, _ in await core.all("places")}
        return {Partition(topic, n): max(low, begins[tp]) for n, tp in core.catalog.tps[topic].items()}

    async def lag(self, at: Mapping[Partition, int]) -> Mapping[Partition, int]:
        """Exact; one pass over what lies behind."""
        tps = await self._core.tps(list(at))
        counts = dict(await self._core.all("count", tps=tps, ats=list(at.values())))
        return {part: counts[tp] for part, tp in zip(at, tps, strict=True)}

    async def sweep(self, limit: int) -> int:
        return await sweep(self._core, limit)


def _shape(topic: Topic) -> str:
    return f"{topic.partitions} partitions{', compacted' if topic.compact else ''}"


def _offsets(receipt: str, events: Sequence[Event]) -> list[int]:
    """Each event's own, from the offsets of each partition in the order told."""
    left = {(topic, number): iter(offsets) for topic, number, offsets in json.loads(receipt)}
    return [next(left[str(e.topic), e.partition]) for e in events]
