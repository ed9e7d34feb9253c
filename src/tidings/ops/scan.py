"""Reading a log from some place to its end: in the order of commits where the engine has one, pages at a time.

Damaged records are passed over and told of, what retention took is leapt over: a look never fails for them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import TypeAlias

from tidings.clock import MICRO
from tidings.engine.port import Engine
from tidings.engine.unit import Partition, Record
from tidings.errors import Corrupt, TidingsError, Truncated
from tidings.event.identity import id_time

PAGE = 2000
SKEW = 60 * MICRO  # how far a producer's clock may be from the store's
Page: TypeAlias = Sequence[tuple[Partition, Record]]


async def scan(
    engine: Engine, at: dict[Partition, int], damaged: Callable[[Corrupt], None] = lambda _: None
) -> AsyncIterator[Page]:
    """Pages of (partition, record) from these places, which move along, until the end of the log when it is reached."""
    while at:
        try:
            batches = await engine.log.read(at, PAGE)
        except Corrupt as error:
            damaged(error)
            part = Partition(error.topic, error.partition)
            # A record whose partition is what was damaged is nobody's: all go on behind it.
            at.update({p: max(o, error.offset + 1) for p, o in at.items() if p == part or part not in at})
            continue
        except Truncated as error:
            at[Partition(error.topic, error.partition)] = error.first
            continue
        if not batches:
            return
        if engine.can.one_commit:  # one number for all records: nothing of any partition lies below the lowest end
            end = min(b.next for b in batches)
            at.update({part: max(offset, end) for part, offset in at.items()})
        at |= {b.partition: b.next for b in batches}
        page = [(b.partition, record) for b in batches for record in b.records]
        page.sort(key=lambda each: each[1].offset if engine.can.one_commit else each[1].time)
        yield page


async def beginnings(engine: Engine, topics: Iterable[str] | None = None) -> dict[Partition, int]:
    """The first offset that is left of every partition of these topics (None: of all)."""
    names = [t.name for t in await engine.log.topics()] if topics is None else list(topics)
    return {e.partition: e.first for e in await engine.log.extents(names)}


async def since(engine: Engine, id: bytes) -> dict[Partition, int]:
    """Where an event of this id may lie at the earliest: a UUIDv7 tells its time, any other id tells nothing."""
    first = await beginnings(engine)
    try:
        time = id_time(id) - SKEW
    except TidingsError:
        return first
    for topic in {part.topic for part in first}:
        for part, offset in (await engine.log.at(topic, time)).items():
            first[part] = max(first.get(part, 0), offset)
    return first
