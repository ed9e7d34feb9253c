"""Topics and what lies in them."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from tidings.clock import from_micro
from tidings.engine.port import Engine, Topic
from tidings.engine.unit import Partition, Record
from tidings.errors import Corrupt, Refused, Truncated, did_you_mean
from tidings.ops.entries import Entry, entry
from tidings.ops.scan import scan

AT_ONCE = 1000


class PartitionExtent(Struct, frozen=True):
    """Offsets in [first, next), how many records there are and their bytes."""

    partition: int
    first: int
    next: int
    records: int
    bytes: int


class TopicState(Struct, frozen=True):
    """`keep`: seconds, None for ever; `oldest`: when its first record was recorded; `groups`: who reads it."""

    topic: str
    partitions: Sequence[PartitionExtent]
    records: int
    bytes: int
    keep: float | None
    keep_bytes: int | None
    compact: bool
    hold_for_groups: bool
    oldest: datetime | None
    groups: Sequence[str]


async def topics(engine: Engine) -> list[TopicState]:
    """Every topic, by name."""
    declared = await engine.log.topics()
    extents = await engine.log.extents([t.name for t in declared])
    counts = await engine.log.lag({e.partition: e.first for e in extents})
    readers: defaultdict[str, set[str]] = defaultdict(set)
    for row in await engine.store.progress():
        readers[row.partition.topic].add(row.group)
    parts: defaultdict[str, list[PartitionExtent]] = defaultdict(list)
    for e in extents:
        count = counts.get(e.partition, 0)
        parts[e.partition.topic].append(PartitionExtent(e.partition.number, e.first, e.next, count, e.bytes))
    return [await _topic(engine, t, parts[t.name], readers[t.name]) for t in declared]


async def _topic(engine: Engine, t: Topic, parts: Sequence[PartitionExtent], groups: set[str]) -> TopicState:
    records = sum(p.records for p in parts)
    oldest = await _oldest(engine, t.name, parts) if records else None
    size = sum(p.bytes for p in parts)
    return TopicState(
        t.name, parts, records, size, t.keep, t.keep_bytes, t.compact, t.hold_for_groups, oldest, sorted(groups)
    )


async def _oldest(engine: Engine, topic: str, parts: Sequence[PartitionExtent]) -> datetime | None:
    start = {Partition(topic, p.partition): p.first for p in parts if p.records}
    try:
        found = [r.time for b in await engine.log.read(start, 1) for r in b.records]
    except (Corrupt, Truncated):
        return None
    return from_micro(min(found)) if found else None


async def check_topics(engine: Engine, names: Sequence[str]) -> list[str]:
    """The names, or all topics where there are none. Raises Refused for one that nobody declared."""
    known = [t.name for t in await engine.log.topics()]
    for name in names:
        if name not in known:
            raise Refused(
                f"no topic {name!r} in this store", hint=did_you_mean(name, known) if known else "it is empty"
            )
    return list(names) or known


async def tail(
    engine: Engine,
    start: Mapping[Partition, int],
    *,
    follow: bool = False,
    damaged: Callable[[Corrupt], None] = lambda _: None,
) -> AsyncIterator[Entry]:
    """Records from these places on, in the order of commits; with `follow` for ever, as they come."""
    at = dict(start)
    while True:
        news = asyncio.ensure_future(engine.store.changed()) if follow else None
        try:
            ends = await engine.log.extents(sorted({part.topic for part in at})) if follow else ()
            async for page in scan(engine, at, damaged):
                for part, record in page:
                    yield entry(part, record)
            if news is None:
                return
            at |= {e.partition: max(at[e.partition], e.next) for e in ends if e.partition in at}
            await news
        finally:
            if news is not None:
                news.cancel()


async def last(
    engine: Engine, names: Sequence[str], count: int, wanted: Callable[[Entry], bool] = lambda _: True
) -> list[Entry]:
    """The last `count` records that are wanted, oldest first; found by looking back further and further."""
    extents = await engine.log.extents(names)
    window = max(1000, 4 * count)
    while True:
        start = {e.partition: max(e.first, e.next - window) for e in extents}
        found: deque[Entry] = deque(maxlen=count)
        async for page in scan(engine, start):
            found.extend(e for part, record in page if wanted(e := entry(part, record)))
        if len(found) == count or all(e.next - window <= e.first for e in extents):
            return list(found)
        window *= 8


async def find(engine: Engine, place: str) -> Entry:
    """The record at `TOPIC/PARTITION/OFFSET`. Raises Refused where there is none."""
    topic, _, rest = place.partition("/")
    number, _, offset = rest.partition("/")
    if not (number.isdigit() and offset.isdigit()):
        raise Refused(f"{place!r} names no record", hint="TOPIC/PARTITION/OFFSET, as `tidings tail` shows it")
    await check_topics(engine, [topic])
    part = Partition(topic, int(number))
    batches = await engine.log.read({part: int(offset)}, 1)
    found: list[Record] = [r for b in batches for r in b.records if r.offset == int(offset)]
    if not found:
        raise Refused(f"there is no record {place}", hint=f"`tidings tail {topic}` shows what there is")
    return entry(part, found[0])
