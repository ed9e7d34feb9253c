"""Several handlers of one group for one type: one decision, one commit, in the order they were written."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.delivery.trade import Account, Billed, Ordered, seen, system
from tidings import Rejected, Service, Transaction
from tidings.testing import run

pytestmark = pytest.mark.anyio


@dataclass
class Line:
    number: int


async def test_sql_and_rows_of_one_projection_are_both_written() -> None:
    service = Service("book")
    book = service.projection(Account, ddl="create table lines (number integer not null)")

    @book.on
    def enter(event: Ordered, tx: Transaction) -> None:
        tx.execute("insert into lines values (:number)", {"number": event.number})

    @book.on
    def total(event: Ordered, account: Account) -> Account:
        account.seen = (*account.seen, event.number)
        return account

    @book.on
    def enter_again(event: Ordered, tx: Transaction) -> None:
        tx.execute("insert into lines values (:number)", {"number": 100 + event.number})

    async with run(system(service)) as world:
        await world.publish(*[Ordered(order="o-1", number=n) for n in range(3)])
        assert await seen(world, "o-1") == (0, 1, 2)
        found = await world.query(Line, "select number from lines order by number")
        assert [line.number for line in found] == [0, 1, 2, 100, 101, 102]


async def test_sql_that_fails_takes_the_rows_of_its_event_with_it() -> None:
    service = Service("book")
    book = service.projection(Account, ddl="create table lines (number integer primary key)")

    @book.on
    def enter(event: Ordered, tx: Transaction) -> None:
        tx.execute("insert into lines values (:number)", {"number": event.number % 2})

    @book.on
    def total(event: Ordered, account: Account) -> Account:
        account.seen = (*account.seen, event.number)
        return account

    async with run(system(service)) as world:
        await world.publish(*[Ordered(order=f"o-{n}", number=n) for n in range(4)])
        assert [await seen(world, f"o-{n}") for n in range(4)] == [(0,), (1,), (), ()]
        errors = [one.error for one in await world.parked()]
        assert len(errors) == 2
        assert all("UNIQUE" in error for error in errors)


async def test_a_refusal_inside_the_commit_leaves_what_the_others_decided() -> None:
    service = Service("book")
    service.projection(ddl="create table lines (number integer not null)", name="lines")

    @service.on
    def enter(event: Ordered, tx: Transaction) -> Billed:
        tx.execute("insert into lines values (:number)", {"number": event.number})
        if event.number == 1:
            raise Rejected("not one")
        return Billed(order=event.order, number=event.number)

    @service.on
    def total(event: Ordered, account: Account) -> Account:
        account.seen = (*account.seen, event.number)
        return account

    async with run(system(service)) as world:
        await world.publish(*[Ordered(order="o-1", number=n) for n in range(3)])
        assert await seen(world, "o-1") == (0, 1, 2)
        found = await world.query(Line, "select number from lines order by number")
        assert [line.number for line in found] == [0, 2]
        assert [bill.number for bill in world.published(Billed)] == [0, 2]
        (note,) = await world._store.notes("book", 10)
        assert (note.outcome, note.text) == ("rejected", "not one")


async def test_a_later_handler_sees_what_an_earlier_one_returned() -> None:
    service = Service("book")

    @service.on
    def first(event: Ordered, account: Account) -> Account:
        account.total += 1
        return account

    @service.on
    async def second(event: Ordered, account: Account) -> tuple[Account, Billed]:
        account.seen = (*account.seen, account.total)
        return account, Billed(order=event.order, number=account.total)

    async with run(system(service)) as world:
        await world.publish(*[Ordered(order="o-1", number=n) for n in range(3)])
        assert await seen(world, "o-1") == (1, 2, 3)
        assert [bill.number for bill in world.published(Billed)] == [1, 2, 3]
