"""Exactly-once effects: events, rows and progress are one commit. A crash repeats and loses none of them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.delivery.trade import Account, Bill, Billed, Mails, Ordered, seen, system
from tidings import Service, Transaction, signals
from tidings.testing import CrashPoint, run

pytestmark = pytest.mark.anyio
POINTS: tuple[CrashPoint, ...] = ("before handler", "before commit", "after commit")


def billing(mails: Mails | None = None) -> Service:
    service = Service("billing")

    @service.on
    async def charge(event: Ordered, account: Account) -> tuple[Account, Bill]:
        if mails is not None:
            mails.send(event.order, event.number)
        account.total += 1
        account.seen = (*account.seen, event.number)
        return account, Bill(order=event.order, number=event.number)

    @service.command
    def bill(command: Bill) -> Billed:
        return Billed(order=command.order, number=command.number)

    return service


@pytest.mark.parametrize("log_apart", [False, True], ids=["one", "apart"])
@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_at_any_moment_leaves_each_effect_once(point: CrashPoint, log_apart: bool) -> None:
    service = billing()
    async with run(system(service), log_apart=log_apart) as world:
        for number in range(10):
            world.crash(service, at=point)
            await world.publish(Ordered(order="o-1", number=number))
            await world.settle()
        assert await seen(world, "o-1") == tuple(range(10))
        assert [bill.number for bill in world.published(Billed)] == list(range(10))


async def test_a_batch_of_many_keys_crashes_whole_and_is_done_whole() -> None:
    mails = Mails()
    service = billing(mails)
    async with run(system(service)) as world:
        await world.pause(service)
        await world.publish(*[Ordered(order=f"o-{n % 7}", number=n) for n in range(100)])
        world.crash(service, at="before commit")
        await world.resume(service)
        await world.settle()
        assert max(mails.counts.values()) == 2, "what is done outside is done again: that is never promised"
        assert sorted(b.number for b in world.published(Billed)) == list(range(100))
        for key in range(7):
            assert await seen(world, f"o-{key}") == tuple(range(key, 100, 7))


@dataclass
class Line:
    number: int


@pytest.mark.parametrize("point", POINTS)
async def test_sql_of_the_handler_is_in_the_same_commit(point: CrashPoint) -> None:
    service = Service("book")
    lines = service.projection(ddl="create table lines (number integer not null)")

    @lines.on
    def enter(event: Ordered, tx: Transaction) -> None:
        tx.execute("insert into lines values (:number)", {"number": event.number})

    async with run(system(service)) as world:
        for number in range(5):
            world.crash(service, at=point)
            await world.publish(Ordered(order="o-1", number=number))
            await world.settle()
        found = await world.query(Line, "select number from lines order by number")
        assert [line.number for line in found] == list(range(5))


async def test_h10_a_relay_that_dies_after_sending_doubles_nothing() -> None:
    service, deaths = billing(), list[str]()

    def die() -> None:
        if len(deaths) < 3:
            deaths.append("relay")
            raise RuntimeError("the relay dies here")

    async with run(system(service), log_apart=True) as world:
        with signals.listening("relay.sent", die):
            await world.publish(*[Ordered(order="o-1", number=n) for n in range(5)])
            await world.settle()
        assert len(deaths) == 3
        assert await seen(world, "o-1") == tuple(range(5))
        assert [bill.number for bill in world.published(Billed)] == list(range(5))
        assert (await world._store.tallies("billing"))["duplicate"] >= 5


async def test_a_killed_process_leaves_each_effect_once() -> None:
    async with run(system(billing())) as world:
        for number in range(5):
            await world.publish(Ordered(order="o-1", number=number))
            await world.restart()
        await world.settle()
        assert await seen(world, "o-1") == tuple(range(5))
        assert [bill.number for bill in world.published(Billed)] == list(range(5))
