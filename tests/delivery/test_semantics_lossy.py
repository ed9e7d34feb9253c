"""At-most-once: progress is durable before the handler runs. A crash loses what was in hand, nothing is repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from msgspec import structs

from tests.delivery.trade import Billed, Mails, Ordered, orders, system
from tidings import Event, Key, Service, Temporary, seconds
from tidings.engine.unit import Unit
from tidings.signals import listening
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


async def test_a_pause_in_the_middle_repeats_nothing() -> None:
    """Progress was not kept, so the handler did not run: it does after the pause."""
    mails = Mails()
    service = push(mails)
    async with run(system(service)) as world:
        parts = [p.partition for p in await world._store.progress("push")]
        pausing = list[asyncio.Task[None]]()

        def pause() -> None:
            if not pausing:
                pausing.append(asyncio.ensure_future(world._store.set_paused("push", parts, "by an operator")))

        with listening("member.fetched", pause):
            await world.publish(Ordered(order="o-1"))
            await world._harness.calm(0.1)
        assert mails.sent == []
        await world.resume(service)
        await world.settle()
        assert mails.sent == [("o-1", 0)]


async def test_a_handler_that_cancels_itself_is_dropped_and_its_group_goes_on() -> None:
    service, mails = Service("push", guarantee="at-most-once"), Mails()

    @service.on
    async def ping(event: Ordered) -> None:
        if event.number == 0:
            raise asyncio.CancelledError
        mails.send(event.order, event.number)

    async with run(system(service)) as world:
        await world.publish(Ordered(order="o-1"))
        await world.settle()
        await world.publish(Ordered(order="o-1", number=1))
        await world.settle()
        assert mails.sent == [("o-1", 1)]
        assert await tally(world, "dropped") == 1


async def test_a_muted_reset_tells_nobody_again() -> None:
    mails = Mails()
    service = push(mails)
    async with run(system(service)) as world:
        await world.publish(Ordered(order="o-1"), Ordered(order="o-2"))
        await world.settle()
        await world.reset(service, effects="muted")
        await world.settle()
        assert max(mails.counts.values()) == 1


async def test_what_cannot_be_read_is_dropped_and_counted() -> None:
    mails = Mails()
    async with run(system(push(mails))) as world:
        event = world._runtime.outside.event(Ordered(order="o-1"), await world._store.now())
        await world._store.commit([Unit(events=[structs.replace(event, data=b"{")])])
        await world.settle()
        assert await world.parked() == []
        assert await tally(world, "dropped") == 1


async def test_deaths_while_idle_do_not_make_events_come_twice() -> None:
    """A partition that was claimed again and again without progress is handled with care, but never at-least-once."""
    mails = Mails()
    service = push(mails)
    async with run(system(service)) as world:
        for _ in range(4):
            await world.restart()
        world.crash(service, at="after commit")
        await world.publish(Ordered(order="o-1"))
        await world.settle()
        assert mails.sent == [], "progress stood when it died: it is lost, as promised"


async def test_a_batch_without_anything_to_hear_stops_nobody() -> None:
    mails, other = Mails(), Service("other")

    @other.on
    def bill(event: Ordered) -> Billed:
        return Billed(order=event.order)

    class Noise(Event, topic=orders):
        order: Key[str]

    @other.on
    def noise(event: Noise) -> None: ...

    async with run(system(push(mails), other)) as world:
        await world.publish(Noise(order="o-1"))
        await world.settle()
        await world.publish(Ordered(order="o-1"))
        await world.settle()
        assert mails.sent == [("o-1", 0)]
