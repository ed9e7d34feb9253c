"""What the tests of the suite share: a seat, a few ways to tell and to hear.

No test waits for time to pass. "Nothing comes" is shown by a later event that comes alone (`only`), never by silence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tidings.engine.port import Engine, Reader, Table, Topic
from tidings.engine.unit import (
    Address,
    Answer,
    Batch,
    Claim,
    Committed,
    Event,
    Held,
    Partition,
    Record,
    Step,
    Timer,
    Unit,
)

T = TypeVar("T")
X = TypeVar("X", bound=Exception)
Opener = Callable[[], Awaitable[Engine]]

GUARD = 20.0  # real seconds until a test that hangs is given up; nothing waits for it
DAY = 86400.0
P0, P1, P2, P3 = (Partition("t", number) for number in range(4))
ROW, OTHER_ROW = Address("shelves", "a"), Address("shelves", "b")
ORDER = Address("order", "1")
SHELVES = Table("shelves", [("id", "text"), ("n", "integer")])


class Lack(Exception):
    """Raised only for what the engine's Capabilities say; the words go on after "the engine lacks"."""


async def soon(awaited: Awaitable[T]) -> T:
    """A test that hangs fails."""
    return await asyncio.wait_for(awaited, GUARD)


async def raised(kind: type[X], awaited: Awaitable[object]) -> X:
    """The error that this ends with."""
    try:
        got = await soon(awaited)
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} must be raised, not answered: {got!r}")


async def turns(count: int = 5) -> None:
    """Let tasks of this loop go on a little; no promise rests on how far they come."""
    for _ in range(count):
        await asyncio.sleep(0)


# ---- telling -------------------------------------------------------------------------------------------------------


def event(
    n: int, part: int = 0, key: bytes | None = b"k", stream: Address | None = None, version: int = 0, topic: str = "t"
) -> Event:
    return Event(topic, part, key, n.to_bytes(16, "big"), b"head", b"%d" % n, stream, version)


def private(n: int, stream: Address = ORDER, version: int = 0) -> Event:
    """An event of a stream that is in no topic."""
    return Event(None, 0, b"k", n.to_bytes(16, "big"), b"head", b"%d" % n, stream, version)


def held(
    offset: int, key: bytes | None = b"k", due: int | None = None, part: Partition = P0, error: str = "boom"
) -> Held:
    return Held(part, offset, 1, key, b"head", b"%d" % offset, due, 1, error)


def timer(name: str, due: int, part: Partition = P0) -> Timer:
    return Timer(part, name, due, b"k", b"head", b"data")


async def prepare(e: Engine, partitions: int = 4, **topic: object) -> None:
    """Topic `t` and table `shelves`."""
    await e.log.declare([Topic("t", partitions, **topic)])  # type: ignore[arg-type]
    await e.store.tables([SHELVES])


async def commit(e: Engine, unit: Unit) -> Answer:
    return (await e.store.commit([unit]))[0]


async def kept(e: Engine, unit: Unit) -> Committed:
    answer = await commit(e, unit)
    assert isinstance(answer, Committed), answer
    return answer


async def tell(e: Engine, *events: Event) -> Committed:
    """Commit these events, and see them in the log: a relay may be on the way."""
    answer = await kept(e, Unit(events=events, receipt=True))
    if not e.can.one_commit:
        assert await soon(e.store.reached("nobody", answer.receipt, GUARD))
    return answer


# ---- hearing -------------------------------------------------------------------------------------------------------


@dataclass
class Seat:
    """A member of group `group` that has claimed all its partitions and reads them."""

    group: str
    reader: Reader
    claims: dict[Partition, Claim]

    def step(self, part: Partition, to: int | None = None, *, at: int | None = None, gen: int | None = None) -> Step:
        claim = self.claims[part]
        at = claim.next if at is None else at
        return Step(part, claim.epoch, claim.held_gen if gen is None else gen, at, at if to is None else to)

    async def now(self, e: Engine, part: Partition = P0) -> Claim:
        """The claim as it stands."""
        claim = (await e.store.renew([self.claims[part]]))[0]
        assert claim is not None, "the claim was lost"
        return claim


async def sit(e: Engine, group: str = "g", member: str = "m", partitions: int = 4, **topic: object) -> Seat:
    """Prepare, join, claim all that is wished, start."""
    await prepare(e, partitions, **topic)
    reader = await e.log.join(group, ["t"], member)
    change = await soon(reader.change())
    claims = await e.store.claim(group, member, dict.fromkeys(sorted(change.gain), 0))
    reader.start(claims)
    return Seat(group, reader, {c.partition: c for c in claims})


async def hear(reader: Reader, count: int, limit: int = 500) -> list[tuple[Batch, Record]]:
    """The next `count` records or more, with their batches."""
    got: list[tuple[Batch, Record]] = []
    while len(got) < count:
        batches = await soon(reader.fetch(limit))
        got += [(batch, record) for batch in batches for record in batch.records]
    return got


async def only(e: Engine, reader: Reader, *expected: int) -> None:
    """These events are handed out and no others: one that is told now, last of all, comes with or after them."""
    await tell(e, event(999, 3))
    got = [(b.partition, int(r.data or b"")) for b, r in await hear(reader, len(expected) + 1)]
    assert sorted(n for _, n in got) == sorted([*expected, 999])
    for part in {part for part, _ in got}:
        mine = [n for p, n in got if p == part]
        assert mine == [n for n in (*expected, 999) if n in mine], "in the order told"


def data(batches: Sequence[Batch]) -> list[bytes | None]:
    return [record.data for batch in batches for record in batch.records]


async def look(e: Engine, *parts: Partition) -> list[int]:
    """All that lies in these partitions, by a throwaway look."""
    return [int(d or b"-1") for part in parts for d in data(await e.log.read({part: await first(e, part)}, 10_000))]


async def first(e: Engine, part: Partition) -> int:
    return next(x.first for x in await e.log.extents([part.topic]) if x.partition == part)


async def sweep(e: Engine) -> int:
    """Retention until there is nothing more to do; how many records went."""
    gone = 0
    while step := await e.log.sweep(100):
        gone += step
    return gone
