"""H20: a handler that takes ten minutes keeps its own key waiting, and nobody else; its member stays a member."""

from __future__ import annotations

import pytest

from tests.delivery.trade import Account, Billed, Gate, Mails, Ordered, seen, system
from tidings import Service, minutes, seconds
from tidings.testing import run

pytestmark = pytest.mark.anyio


def billing(gate: Gate, mails: Mails) -> Service:
    service = Service("billing")

    @service.on
    async def charge(event: Ordered, account: Account) -> tuple[Billed, Account]:
        mails.send(event.order, event.number)
        if event.order == "slow" and event.number == 0:
            await gate.pass_through()
        account.seen = (*account.seen, event.number)
        return Billed(order=event.order, number=event.number), account

    return service


async def test_h20_a_slow_handler_holds_up_its_own_key_alone() -> None:
    gate, mails = Gate(), Mails()
    async with run(system(billing(gate, mails))) as world:
        await world.publish(*[Ordered(order="slow", number=n) for n in range(3)])
        await gate.begun.wait()
        epochs = [p.epoch for p in await world._store.progress("billing")]
        world.clock.jump(seconds(1))  # an event is slow from then on: progress passes it
        for number in range(20):
            await world.publish(
                Ordered(order=f"quick-{number}", number=number), Ordered(order="slow", number=3 + number)
            )
            await world.wait_for(Billed, key=f"quick-{number}")
            world.clock.jump(seconds(30))
        assert not world.published(Billed, key="slow")
        assert [p.epoch for p in await world._store.progress("billing")] == epochs, "nobody took its partitions"
        gate.open.set()
        await world.settle()
        assert await seen(world, "slow") == tuple(range(23))
        assert mails.counts["slow", 0] == 1, "it ran once, and its result was taken"
        assert world.now >= world.clock.time


async def test_h20_a_slow_handler_whose_state_moved_decides_again() -> None:
    gate, mails = Gate(), Mails()
    service = billing(gate, mails)
    async with run(system(service)) as world:
        await world.publish(Ordered(order="slow"))
        await gate.begun.wait()
        world.clock.jump(seconds(1))
        await world.publish(Ordered(order="quick"))
        await world.wait_for(Billed, key="quick")
        await world.store(Account(order="slow", seen=(99,)))
        gate.open.set()
        await world.settle()
        assert await seen(world, "slow") == (99, 0)
        assert mails.counts["slow", 0] == 2


async def test_h20_a_slow_handler_dies_with_its_member_and_runs_again() -> None:
    gate, mails = Gate(), Mails()
    async with run(system(billing(gate, mails))) as world:
        await world.publish(Ordered(order="slow"), Ordered(order="slow", number=1))
        await gate.begun.wait()
        world.clock.jump(seconds(1))
        await world.publish(Ordered(order="quick"))
        await world.wait_for(Billed, key="quick")
        gate.open.set()
        await world.restart()
        await world.settle()
        assert await seen(world, "slow") == (0, 1)
        assert mails.counts["slow", 0] == 2


async def test_h20_a_slow_handler_that_fails_at_last_is_tried_again() -> None:
    gate, service, tries = Gate(), Service("billing"), list[int]()

    @service.on
    async def charge(event: Ordered) -> Billed:
        tries.append(event.number)
        if len(tries) == 1:
            await gate.pass_through()
            raise TimeoutError("no answer in an hour")
        return Billed(order=event.order)

    async with run(system(service)) as world:
        await world.publish(Ordered(order="slow"))
        await gate.begun.wait()
        world.clock.jump(minutes(10))
        gate.open.set()
        await world.clock.advance(minutes(1))
        assert len(tries) == 2
        assert len(world.published(Billed)) == 1


async def test_h20_a_slow_handler_can_crash_at_its_end_and_runs_again() -> None:
    gate, mails = Gate(), Mails()
    service = billing(gate, mails)
    async with run(system(service)) as world:
        await world.publish(Ordered(order="slow"))
        await gate.begun.wait()
        world.clock.jump(seconds(1))
        await world.publish(Ordered(order="quick"))
        await world.wait_for(Billed, key="quick")
        world.crash(service, at="before commit")
        gate.open.set()
        await world.settle()
        assert await seen(world, "slow") == (0,)
        assert len(world.published(Billed, key="slow")) == 1
