"""H14: an event is marked as seen in the commit of its work, never before: what failed is no repetition."""

from __future__ import annotations

import asyncio

import pytest

from tests.delivery.trade import Account, Bill, Billed, Mails, Ordered, seen, system
from tidings import Rejected, Service, Temporary, seconds
from tidings.testing import run

pytestmark = pytest.mark.anyio


async def test_h14_an_event_that_failed_once_is_handled_by_its_second_delivery() -> None:
    service, failures = Service("billing"), [Temporary("not now"), Temporary("nor now")]

    @service.on
    def charge(event: Ordered, account: Account) -> Account:
        if failures:
            raise failures.pop()
        account.seen = (*account.seen, event.number)
        return account

    async with run(system(service)) as world:
        await world.publish(Ordered(order="o-1", number=1), Ordered(order="o-1", number=2))
        await world.clock.advance(seconds(60))
        assert await seen(world, "o-1") == (1, 2)


@pytest.mark.parametrize("log_apart", [False, True], ids=["one", "apart"])
async def test_h14_two_deliveries_of_one_id_at_once_are_done_once(log_apart: bool) -> None:
    service, mails = Service("billing"), Mails()

    @service.command
    async def bill(command: Bill, account: Account) -> tuple[Billed, Account]:
        await asyncio.sleep(0)
        mails.send(command.order, command.number)
        account.total += 1
        return Billed(order=command.order, number=account.total), account

    async with run(system(service), log_apart=log_apart) as world:

        async def ask() -> int:
            return (await world.call(Bill(order="o-1"), id="the-same")).outcome.number

        assert await asyncio.gather(*[ask() for _ in range(10)]) == [1] * 10
        assert await ask() == 1
        account = await world.get(Account, "o-1")
        assert account is not None
        assert account.total == 1
        assert len(world.published(Billed)) == 1


@pytest.mark.parametrize("awaited", [True, False], ids=["awaited", "inline"])
async def test_h14_a_batch_that_holds_one_id_several_times_is_done_once(awaited: bool) -> None:
    service, mails = Service("billing"), Mails()

    if awaited:

        @service.command
        async def bill(command: Bill) -> Billed:
            mails.send(command.order, command.number)
            return Billed(order=command.order, number=command.number)

    else:

        @service.command
        def bill_now(command: Bill) -> Billed:
            mails.send(command.order, command.number)
            return Billed(order=command.order, number=command.number)

    async with run(system(service)) as world:
        await world.pause(service)
        for number in range(5):
            await world.send(Bill(order="o-1", number=number), id="the-same")
            await world.send(Bill(order="o-1", number=100 + number))
        await world.resume(service)
        await world.settle()
        assert mails.counts["o-1", 0] == 1
        assert [bill.number for bill in world.published(Billed)] == [0, 100, 101, 102, 103, 104]
        assert (await world._store.tallies("billing"))["duplicate"] == 4


async def test_h14_a_command_that_failed_is_done_when_its_id_comes_again() -> None:
    service, out_of_order = Service("billing"), [True]

    @service.command
    def bill(command: Bill) -> Billed:
        if out_of_order:
            raise Temporary("not now", after=seconds(30))
        return Billed(order=command.order)

    async with run(system(service)) as world:
        await world.send(Bill(order="o-1"), id="mine")
        await world.settle()
        out_of_order.clear()
        await world.clock.advance(seconds(30))
        assert (await world.call(Bill(order="o-1"), id="mine")).outcome == Billed(order="o-1")
        assert len(world.published(Billed)) == 1


async def test_h14_a_refusal_is_remembered_as_well() -> None:
    service, asked = Service("billing"), list[int]()

    @service.command
    def bill(command: Bill) -> Billed:
        asked.append(command.number)
        raise Rejected("no credit")

    async with run(system(service)) as world:
        for _ in range(3):
            with pytest.raises(Rejected, match="no credit"):
                await world.call(Bill(order="o-1"), id="mine")
        assert asked == [0]


async def test_h15_each_group_sees_for_itself() -> None:
    first, second, mails = Service("first"), Service("second"), Mails()

    @first.on
    def one(event: Ordered) -> None:
        mails.send("first", event.number)

    @second.on
    def other(event: Ordered) -> None:
        mails.send("second", event.number)

    async with run(system(first, second)) as world:
        world.crash(first, at="after commit")
        await world.publish(Ordered(order="o-1"))
        await world.settle()
        assert mails.counts == {("first", 0): 1, ("second", 0): 1}
