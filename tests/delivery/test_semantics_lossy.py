"""At-most-once: progress is durable before the handler runs. A crash loses what was in hand, nothing is repeated."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.delivery.trade import Mails, Ordered, system
from tidings import Service, Temporary, seconds
from tidings.testing import World, run

pytestmark = pytest.mark.anyio


def push(mails: Mails, fails: Callable[[Ordered], bool] = lambda event: False) -> Service:
    service = Service("push", guarantee="at-most-once")

    @service.on
    async def ping(event: Ordered) -> None:
        if fails(event):
            raise Temporary("the phone is off")
        mails.send(event.order, event.number)

    return service


async def tally(world: World, name: str) -> int:
    return (await world._store.tallies("push")).get(name, 0)


async def test_a_crash_loses_what_was_in_hand_and_nothing_else() -> None:
    mails = Mails()
    service = push(mails)
    async with run(system(service)) as world:
        world.crash(service, at="after commit")  # progress stands, no handler has run: the worst moment
        await world.publish(Ordered(order="o-1"), Ordered(order="o-2"))
        await world.settle()
        assert mails.sent == []
        await world.publish(Ordered(order="o-3"))
        await world.clock.advance(seconds(60))
        assert mails.sent == [("o-3", 0)]


async def test_nothing_is_repeated_whenever_it_crashes() -> None:
    mails = Mails()
    service = push(mails)
    async with run(system(service)) as world:
        for number in range(20):
            world.crash(service, at="before handler" if number % 2 else "after commit")
            await world.publish(Ordered(order="o-1", number=number))
            await world.settle()
        await world.restart()
        await world.settle()
        assert mails.sent == [("o-1", number) for number in range(20) if number % 2]
        assert max(mails.counts.values()) == 1


async def test_what_fails_is_dropped_and_counted_and_never_tried_again() -> None:
    mails = Mails()
    async with run(system(push(mails, fails=lambda event: event.number == 1))) as world:
        await world.publish(*[Ordered(order="o-1", number=n) for n in range(3)])
        await world.clock.advance(seconds(3600))
        assert mails.sent == [("o-1", 0), ("o-1", 2)]
        assert await world.parked() == []
        await world.publish(Ordered(order="o-1", number=3))  # the count goes with the next commit
        await world.settle()
        assert await tally(world, "dropped") == 1
