"""Seats: who should have which partition. Only a wish; what is safe is decided by claims."""

from __future__ import annotations

import asyncio

from tidings.clock import seconds
from tidings.engine.port import Engine, Topic
from tidings.engine.seats import spread
from tidings.engine.unit import Partition
from tidings.testing.clock import SteeredClock
from tidings.testing.conformance.bench import P0, Lack, prepare, sit, soon, turns


async def test_members_share_the_partitions(e: Engine, other: Engine) -> None:
    first = await sit(e, member="a")
    assert len(first.claims) == 4
    second = await other.log.join("g", ["t"], "b")
    gained = (await soon(second.change())).gain
    drained = (await soon(first.reader.change())).drain
    assert gained == drained and len(gained) == 2


async def test_partitions_of_one_number_go_together(e: Engine, other: Engine) -> None:
    """A key that lies in partition 2 of two topics is handled by one member, so its state has one owner."""
    await e.log.declare([Topic("t", 4), Topic("u", 4)])
    first = await e.log.join("g", ["t", "u"], "a")
    assert len((await soon(first.change())).gain) == 8
    second = await other.log.join("g", ["t", "u"], "b")
    gained = (await soon(second.change())).gain
    assert gained == {Partition(topic, part.number) for part in gained for topic in ("t", "u")} and len(gained) == 4


async def test_groups_have_seats_of_their_own(e: Engine) -> None:
    assert len((await sit(e, "one")).claims) == len((await sit(e, "two")).claims) == 4


async def test_who_leaves_gives_back(e: Engine, other: Engine) -> None:
    first = await sit(e, member="a")
    second = await other.log.join("g", ["t"], "b")
    await soon(second.change())
    gone = (await soon(first.reader.change())).drain
    second.done(sorted(gone))
    await second.leave()
    assert (await soon(first.reader.change())).gain == gone


async def test_a_member_too_many_is_idle_until_it_is_needed(e: Engine, other: Engine) -> None:
    first = await sit(e, member="a", partitions=1)
    idle = next(name for name in map(str, range(99)) if spread([P0], ["a", name])["a"])
    second = await other.log.join("g", ["t"], idle)
    waiting = asyncio.ensure_future(second.change())
    await turns()
    assert not waiting.done()
    await first.reader.leave()
    assert (await soon(waiting)).gain == {P0}


async def test_a_member_that_froze_loses_its_seat(e: Engine, other: Engine, clock: SteeredClock) -> None:
    """It does not await `change` any more. One whose process died is noticed at once, by other means."""
    clock.jump(seconds(1000))
    first = await sit(e, member="a")
    second = await other.log.join("g", ["t"], "b")
    gained = (await soon(second.change())).gain
    assert (await soon(first.reader.change())).drain == gained
    waiting = asyncio.ensure_future(first.reader.change())
    while not waiting.done():
        clock.jump(seconds(1.0))
        await turns()
        assert clock.monotonic() < 4600, "its lease must end"
        await e.store.progress()
    assert waiting.result().gain == gained


async def test_members_are_told_of(e: Engine, other: Engine, clock: SteeredClock) -> None:
    clock.jump(seconds(1000))
    first = await sit(e, member="a")
    second = await other.log.join("g", ["t"], "b")
    await e.log.join("stranger", ["t"], "c")
    found = await e.log.members()
    assert [(m.group, m.member, m.alive) for m in found] == [
        ("g", "a", True),
        ("g", "b", True),
        ("stranger", "c", True),
    ]
    now = await e.store.now()
    assert all(now - 60e6 < m.beat <= now for m in found)
    await second.leave()
    assert [m.member for m in await e.log.members("g")] == ["a"]
    clock.jump(seconds(3600.0))
    (frozen,) = await e.log.members("stranger")
    assert not frozen.alive and frozen.beat < await e.store.now() - 3000e6, "nobody awaited its `change`"
    assert first.claims


async def test_a_cancelled_change_keeps_the_seat(e: Engine) -> None:
    await prepare(e)
    reader = await e.log.join("g", ["t"], "a")
    await soon(reader.change())
    for _ in range(3):
        waiting = asyncio.ensure_future(reader.change())
        await turns(2)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    second = await e.log.join("g", ["t"], "b")
    assert len((await soon(second.change())).gain) == 2


async def test_h40_closing_gives_the_seats_back(e: Engine, other: Engine) -> None:
    if not e.can.shared:
        raise Lack("several processes")
    first = await sit(e, member="a")
    second = await other.log.join("g", ["t"], "b")
    gained = (await soon(second.change())).gain
    assert (await soon(first.reader.change())).drain == gained
    await e.close()
    assert (await soon(second.change())).gain == set(first.claims) - gained
