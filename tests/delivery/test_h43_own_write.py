"""H43: a receipt says what to wait for, and whoever reads says what to do when it does not come in time."""

from __future__ import annotations

import asyncio

import pytest

from tests.delivery.trade import Account, Bill, Billed, Ordered, system
from tidings import Receipt, Service, Stale, System, Temporary, minutes, seconds
from tidings.testing import run

pytestmark = pytest.mark.anyio


def trade() -> tuple[System, Service]:
    """Bills, and accounts that follow them in a projection of another service."""
    billing, reading = Service("billing"), Service("reading")
    accounts = reading.projection(Account)

    @billing.command
    def bill(command: Bill) -> Billed:
        return Billed(order=command.order, number=command.number)

    @accounts.on
    def follow(event: Billed, account: Account) -> Account:
        account.seen = (*account.seen, event.number)
        return account

    return system(billing, reading), reading


@pytest.mark.parametrize("log_apart", [False, True], ids=["one", "apart"])
async def test_h43_a_read_after_a_receipt_sees_that_write(log_apart: bool) -> None:
    whole, _ = trade()
    async with run(whole, log_apart=log_apart) as world:
        for number in range(10):
            receipt = await world.call(Bill(order="o-1", number=number))
            row = await world.get(Account, "o-1", after=receipt)
            assert row is not None
            assert row.seen[-1] == number
            assert await world.get(Account, "o-1", after=receipt.position) == row, "its text does as well"


@pytest.mark.parametrize("log_apart", [False, True], ids=["one", "apart"])
async def test_h43_a_read_model_that_stands_still_is_answered_by_policy(log_apart: bool) -> None:
    whole, reading = trade()
    async with run(whole, log_apart=log_apart) as world:
        first = await world.call(Bill(order="o-1", number=1))
        await world.get(Account, "o-1", after=first)
        await world.pause(reading)
        receipt = await world.call(Bill(order="o-1", number=2))
        with pytest.raises(Stale, match="Account has not seen that commit after 2 s"):
            await world.get(Account, "o-1", after=receipt, within=seconds(2))
        stale = await world.get(Account, "o-1", after=receipt, otherwise="stale")
        assert stale == Account(order="o-1", seen=(1,))
        assert await world.get(Account, "o-1") == stale, "without a receipt nobody waits"
        assert await world.get(Account, "o-1", after=first) == stale
        await world.resume(reading)
        assert await world.get(Account, "o-1", after=receipt) == Account(order="o-1", seen=(1, 2))


async def test_h43_an_event_that_is_held_was_not_seen_though_progress_is_past_it() -> None:
    billing, failing = Service("billing"), [True]
    accounts = billing.projection(Account)

    @accounts.on
    def follow(event: Ordered, account: Account) -> Account:
        if failing:
            raise Temporary("not now", after=minutes(1))
        account.total += 1
        return account

    async with run(system(billing)) as world:
        receipt = await world.publish(Ordered(order="o-1"))
        with pytest.raises(Stale):
            await world.get(Account, "o-1", after=receipt)
        failing.clear()
        await world.clock.advance(minutes(1))
        assert await world.get(Account, "o-1", after=receipt) == Account(order="o-1", total=1)


async def test_h43_a_receipt_of_several_events_waits_for_all_of_them() -> None:
    billing = Service("billing")
    accounts = billing.projection(Account)

    @accounts.on
    def follow(event: Ordered, account: Account) -> Account:
        if event.order == "o-3":
            raise Temporary("not now", after=minutes(1))
        account.total += 1
        return account

    async with run(system(billing)) as world:
        few = await world.publish(*[Ordered(order=f"o-{n}") for n in range(3)])
        all_of_them = await world.publish(*[Ordered(order=f"o-{n}") for n in range(6)])
        assert await world.get(Account, "o-0", after=few) is not None
        with pytest.raises(Stale):
            await world.get(Account, "o-0", after=all_of_them)


async def test_h43_a_group_that_has_not_begun_has_seen_nothing() -> None:
    whole, _ = trade()
    async with whole.running(store="memory:", only=[]) as client:
        receipt: Receipt[None] = await client.publish(Billed(order="o-1"))
        with pytest.raises(Stale, match="Account has not seen that commit"):
            await client.get(Account, "o-1", after=receipt, within=seconds(0.01))
        assert await client.get(Account, "o-1", after=receipt, within=seconds(0.01), otherwise="stale") is None


async def test_h43_the_first_read_of_a_new_system_waits_for_its_groups() -> None:
    for _ in range(20):
        whole, _reading = trade()
        async with whole.running(store="memory:") as client:
            receipt = await client.publish(Billed(order="o-1", number=7))
            row = await client.get(Account, "o-1", after=receipt)
            assert row == Account(order="o-1", seen=(7,))


async def test_h43_a_handler_that_asks_and_waits_locks_nobody_out() -> None:
    """It calls its own service, from inside a batch of that very group."""
    service, other, door = Service("billing"), Service("other"), asyncio.Event()

    class Desk:
        async def ask(self, command: Bill) -> Billed:
            door.set()
            return (await world.call(command)).outcome

    @service.on
    async def hear(event: Ordered, desk: Desk) -> None:
        answers.append(await desk.ask(Bill(order=event.order, number=1)))

    @service.command
    def bill(command: Bill) -> Billed:
        return Billed(order=command.order, number=command.number)

    @other.on
    def follow(event: Billed, account: Account) -> Account:
        account.total += 1
        return account

    @service.resource
    def desk() -> Desk:
        return Desk()

    answers = list[Billed]()
    async with run(system(service, other)) as world:
        await world.publish(Ordered(order="o-1"))
        await door.wait()
        world.clock.jump(seconds(1))  # a handler that waits is slow: the others of its group go on
        await world.wait_for(Billed)
        await world.settle()
        assert answers == [Billed(order="o-1", number=1)]
        assert await world.get(Account, "o-1") == Account(order="o-1", total=1)
