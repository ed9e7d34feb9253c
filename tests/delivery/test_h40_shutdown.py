"""H40: a stop takes no new batch, finishes and commits what is in hand, gives all back, and says what was cut."""

from __future__ import annotations

import asyncio

import pytest

from tests.delivery.trade import Account, Bill, Billed, Gate, Mails, Ordered, system
from tidings import Service
from tidings.testing import run

pytestmark = pytest.mark.anyio
MANY = 2000


def billing(mails: Mails) -> Service:
    service = Service("billing")

    @service.on
    async def charge(event: Ordered, account: Account) -> tuple[Account, Bill]:
        mails.send(event.order, event.number)
        await asyncio.sleep(0)
        account.total += 1
        return account, Bill(order=event.order, number=event.number)

    @service.command
    def bill(command: Bill) -> Billed:
        return Billed(order=command.order, number=command.number)

    return service


@pytest.mark.parametrize("log_apart", [False, True], ids=["one", "apart"])
async def test_h40_a_stop_at_full_load_loses_and_repeats_nothing(log_apart: bool) -> None:
    mails = Mails()
    async with run(system(billing(mails)), log_apart=log_apart) as world:
        for stops in range(4):
            first = stops * MANY // 4
            await world.publish(*[Ordered(order=f"o-{n % 40}", number=n) for n in range(first, first + MANY // 4)])
            assert await world.stop() == [], "nothing was cut"
            assert not [p for p in await world._store.progress("billing") if p.owner], "everything was given back"
            await world.restart()
        await world.settle()
        assert sorted(number for _, number in mails.sent) == list(range(MANY)), "handlers ran once each"
        assert sorted(bill.number for bill in world.published(Billed)) == list(range(MANY))
        totals = [await world.get(Account, f"o-{n}") for n in range(40)]
        assert sum(row.total for row in totals if row is not None) == MANY


async def test_h40_a_stop_takes_no_new_batch() -> None:
    mails, gate, service = Mails(), Gate(), Service("billing")

    @service.on
    async def charge(event: Ordered) -> None:
        mails.send(event.order, event.number)
        await gate.pass_through()

    async with run(system(service)) as world:
        await world.publish(Ordered(order="o-1"))
        await gate.begun.wait()
        await world.publish(Ordered(order="o-2"))
        stopping = asyncio.ensure_future(world.stop())
        await asyncio.sleep(0)
        gate.open.set()
        assert await stopping == []
        assert mails.sent == [("o-1", 0)]
        await world.restart()
        await world.settle()
        assert mails.sent == [("o-1", 0), ("o-2", 0)]


async def test_h40_a_handler_that_does_not_end_is_cut_named_and_runs_again() -> None:
    mails, gate, service = Mails(), Gate(), Service("billing")

    @service.on
    async def charge(event: Ordered) -> Billed:
        mails.send(event.order, event.number)
        if not gate.open.is_set():
            await gate.pass_through()
        return Billed(order=event.order)

    async with run(system(service)) as world:
        await world.publish(Ordered(order="o-1"))
        await gate.begun.wait()
        assert await world._harness.worker.stop(0.01) == ["billing"]
        assert not world.published(Billed)
        gate.open.set()
        await world.restart()
        await world.settle()
        assert mails.sent == [("o-1", 0), ("o-1", 0)]
        assert len(world.published(Billed)) == 1


async def test_h40_a_command_that_was_asked_while_nobody_worked_is_done_later() -> None:
    service = Service("billing")

    @service.command
    def bill(command: Bill) -> Billed:
        return Billed(order=command.order)

    async with run(system(service)) as world:
        await world.stop()
        await world.send(Bill(order="o-1"), id="kept")
        await world.restart()
        assert (await world.call(Bill(order="o-1"), id="kept")).outcome == Billed(order="o-1")
        assert len(world.published(Billed)) == 1
