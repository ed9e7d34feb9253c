"""H16: data, events, answer and progress are one transaction, on one connection: there is no moment between two."""

from __future__ import annotations

import pytest

from tests.delivery.trade import Account, Bill, Billed, Ordered, system
from tidings import Later, Service, Transaction, seconds, signals
from tidings.testing import run

pytestmark = pytest.mark.anyio


def billing() -> Service:
    service = Service("billing")

    @service.on
    def charge(event: Ordered, account: Account) -> tuple[Account, Billed, Later[Bill]]:
        account.total += 1
        return account, Billed(order=event.order), Later(Bill(order=event.order), after=seconds(60))

    @service.command
    def bill(command: Bill) -> Billed:
        return Billed(order=command.order)

    return service


@pytest.mark.parametrize("log_apart", [False, True], ids=["one", "apart"])
async def test_h16_everything_that_comes_of_an_event_is_one_unit(log_apart: bool) -> None:
    async with run(system(billing()), log_apart=log_apart) as world:
        await world.publish(Ordered(order="o-1"))
        await world.settle()
        (unit,) = [k.unit for k in world._harness.recorder.kept if k.unit.group == "billing" and k.unit.writes]
        assert [len(part) for part in (unit.writes, unit.events, unit.timers)] == [1, 1, 1]
        assert any(step.to > step.at for step in unit.steps)


@pytest.mark.parametrize("point", ["sqlite.begun", "sqlite.written"])
async def test_h16_a_transaction_that_fails_half_way_leaves_nothing_behind(point: str) -> None:
    """The first transaction is the publishing one, the second the group's: there the disk fails."""
    reached = 0

    def fail() -> None:
        nonlocal reached
        reached += 1
        if reached == 2:
            raise OSError("the disk is gone")

    async with run(system(billing())) as world:
        with signals.listening(point, fail):
            await world.publish(Ordered(order="o-1"))
            await world.settle()
        assert reached > 2
        assert await world.get(Account, "o-1") == Account(order="o-1", total=1)
        assert len(world.published(Billed)) == 1


async def test_h16_a_statement_that_fails_takes_its_event_with_it_and_nothing_else() -> None:
    service = Service("book")
    lines = service.projection(ddl="create table lines (number integer primary key)")
    totals = service.projection(Account)

    @lines.on
    def enter(event: Ordered, tx: Transaction) -> None:
        tx.execute("insert into lines values (:number)", {"number": event.number})
        if event.number == 3:
            tx.execute("insert into lines values (:number)", {"number": event.number})

    @totals.on
    def count(event: Ordered, account: Account) -> Account:
        account.seen = (*account.seen, event.number)
        return account

    async with run(system(service)) as world:
        await world.publish(*[Ordered(order=f"o-{n}", number=n) for n in range(6)])
        await world.settle()
        (parked,) = await world.parked()
        assert parked.message == Ordered(order="o-3", number=3)
        assert "UNIQUE" in parked.error
        found = await world._store.query("select number from lines order by number", {})
        assert [number for (number,) in found] == [0, 1, 2, 4, 5]
