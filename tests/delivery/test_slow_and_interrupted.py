"""A handler that is slower than its batch, and what may happen to its event meanwhile: it counts once, or runs again.

Progress passes a slow event only where its being held was kept. Where it was not (a pause, a split, another owner), the
event comes again from the log, and what runs of it already must not count.
"""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from tests.delivery.trade import Account, Billed, Gate, Mails, Ordered, seen, system
from tidings import Retry, Service, Tick, Transaction, hours, minutes, seconds
from tidings.event.partition import partition_of
from tidings.testing import World, run

pytestmark = pytest.mark.anyio
TOO_BIG = 1 << 70  # for a column of SQL


def beside(order: str, count: int) -> list[str]:
    """Keys of the same partition."""
    home = partition_of(order.encode(), 4)
    return [key for n in range(100) if partition_of((key := f"k-{n}").encode(), 4) == home][:count]


async def slower(world: World, gate: Gate) -> None:
    """The handler that stands at the gate is slow from now on, and its batch goes on without it."""
    await gate.begun.wait()
    world.clock.jump(seconds(1))
    await world._harness.calm(0.1)


def billing(gate: Gate, mails: Mails, retry: Retry | None = None) -> Service:
    service = Service("billing", retry=retry)

    @service.on
    async def charge(event: Ordered, account: Account) -> tuple[Billed, Account]:
        mails.send(event.order, event.number)
        if event.order == "slow" and mails.counts["slow", event.number] == 1:
            await gate.pass_through()
        account.total = event.number
        account.seen = (*account.seen, len(account.seen))
        return Billed(order=event.order, number=event.number), account

    return service


async def test_a_pause_while_a_slow_handler_is_at_work_doubles_nothing() -> None:
    gate, mails = Gate(), Mails()
    service = billing(gate, mails)
    async with run(system(service)) as world:
        await world.publish(Ordered(order="slow"))
        await gate.begun.wait()
        parts = [p.partition for p in await world._store.progress("billing")]
        await world._store.set_paused("billing", parts, "by an operator")
        await slower(world, gate)
        gate.open.set()
        await world.settle()
        await world.resume(service)
        await world.settle()
        assert len(world.published(Billed)) == 1
        assert await seen(world, "slow") == (0,)


async def test_a_batch_that_is_split_under_a_slow_handler_doubles_nothing() -> None:
    gate, mails = Gate(), Mails()
    async with run(system(billing(gate, mails))) as world:
        one, other = beside("slow", 2)
        await world.publish(Ordered(order="slow"), Ordered(order=one), Ordered(order=other, number=TOO_BIG))
        await slower(world, gate)
        gate.open.set()
        await world.settle()
        assert sorted(bill.order for bill in world.published(Billed)) == [one, "slow"]
        assert await seen(world, "slow") == (0,)
        assert [parked.key for parked in await world.parked()] == [other]


async def test_a_handler_that_swallows_its_cancellation_counts_once() -> None:
    gate, service, runs = Gate(), Service("billing"), list[int]()

    @service.on
    async def charge(event: Ordered) -> Billed:
        runs.append(event.number)
        while len(runs) == 1 and not gate.open.is_set():
            try:
                await gate.pass_through()
            except asyncio.CancelledError:
                continue
        return Billed(order=event.order, number=event.number)

    async with run(system(service)) as world:
        await world.publish(Ordered(order="slow"))
        await slower(world, gate)
        part = next(p.partition for p in await world._store.progress("billing") if p.held)
        await world._store.claim("billing", "another", {part: 0})
        for _ in range(2):  # it is fenced, and claims again: the event runs anew
            world._harness.worker.look()
            await world._harness.calm(0.1)
        assert len(runs) == 2
        gate.open.set()
        await world.settle()
        assert len(world.published(Billed)) == 1


async def test_a_scheduled_handler_may_be_slow_and_ticks_on() -> None:
    gate, service, ticks = Gate(), Service("billing"), list[datetime]()

    @service.every(hours(1))
    async def look(tick: Tick) -> Billed:
        ticks.append(tick.due)
        if len(ticks) == 1:
            await gate.pass_through()
        return Billed(order="tick", number=len(ticks))

    @service.on
    def charge(event: Ordered) -> Billed:
        return Billed(order=event.order)

    async with run(system(service)) as world:
        begin = world.now
        world.clock.jump(hours(1))
        await slower(world, gate)
        await world.publish(Ordered(order="quick"))
        await world.wait_for(Billed, key="quick")
        gate.open.set()
        await world.settle()
        assert await world.parked() == []
        await world.clock.advance(hours(5))
        assert ticks == [begin + hours(n) for n in range(1, 7)]
        assert [bill.number for bill in world.published(Billed, key="tick")] == [1, 2, 3, 4, 5, 6]


async def test_a_slow_scheduled_handler_dies_with_its_member_and_runs_again() -> None:
    gate, service, ticks = Gate(), Service("billing"), list[datetime]()

    @service.every(hours(1))
    async def look(tick: Tick) -> Billed:
        ticks.append(tick.due)
        if len(ticks) == 1:
            await gate.pass_through()
        return Billed(order="tick")

    async with run(system(service)) as world:
        world.clock.jump(hours(1))
        await slower(world, gate)
        await world.restart()
        await world.settle()
        assert len(ticks) == 2
        assert ticks[0] == ticks[1]
        assert len(world.published(Billed)) == 1


async def test_a_slow_handler_that_fails_for_good_pauses_its_partition_if_the_policy_says_so() -> None:
    gate, service, tries = Gate(), Service("billing", retry=Retry(attempts=1, then="pause")), list[int]()

    @service.on
    async def charge(event: Ordered) -> Billed:
        tries.append(event.number)
        if len(tries) == 1:
            await gate.pass_through()
        raise TimeoutError("no answer")

    async with run(system(service)) as world:
        await world.publish(Ordered(order="slow"))
        await slower(world, gate)
        gate.open.set()
        await world._harness.calm(0.1)
        assert any(p.paused for p in await world._store.progress("billing"))
        assert tries == [0]


async def test_sql_that_fails_after_a_slow_handler_parks_its_event_alone() -> None:
    gate, service = Gate(), Service("book")
    service.projection(ddl="create table lines (number integer not null unique)", name="lines")

    @service.on
    async def charge(event: Ordered) -> Billed:
        if event.order == "slow":
            await gate.pass_through()
        return Billed(order=event.order, number=event.number)

    @service.on
    def enter(event: Ordered, tx: Transaction) -> None:
        tx.execute("insert into lines values (:number)", {"number": event.number})

    async with run(system(service)) as world:
        (other,) = beside("slow", 1)
        await world.publish(Ordered(order=other, number=7), Ordered(order="slow", number=7))
        await slower(world, gate)
        gate.open.set()
        await world.settle()
        assert [parked.key for parked in await world.parked()] == ["slow"]
        assert world._harness.worker.health()["book"].restarts == 0
        await world.clock.advance(minutes(1))
        assert [bill.order for bill in world.published(Billed)] == [other]


async def test_a_scheduled_handler_that_fails_is_counted_and_said(caplog: pytest.LogCaptureFixture) -> None:
    """Its timer is never given up and never parked, so nothing else would tell."""
    service = Service("billing")

    @service.every(hours(1))
    def look(tick: Tick) -> None:
        raise ValueError("broken")

    async with run(system(service)) as world:
        await world.clock.advance(hours(1))
        assert (await world._store.tallies("billing"))["retried"] == 1
        assert "timer tick/look failed and comes again: ValueError: broken" in caplog.text


async def test_a_slow_event_waits_for_the_one_before_it_that_was_taken_back_and_failed() -> None:
    """Both were decided in one batch; then the state moved, and the first one failed when it was decided again."""
    gate, service, runs = Gate(), Service("billing"), list[int]()

    @service.on
    async def charge(event: Ordered, account: Account) -> tuple[Billed, Account]:
        runs.append(event.number)
        if event.number == 0 and runs.count(0) == 2:
            raise ValueError("broken")
        if event.number == 1 and runs.count(1) == 1:
            await gate.pass_through()
        account.seen = (*account.seen, event.number)
        return Billed(order=event.order, number=event.number), account

    async with run(system(service)) as world:
        await world.publish(Ordered(order="slow"), Ordered(order="slow", number=1))
        await gate.begun.wait()
        await world.store(Account(order="slow", total=7))
        await slower(world, gate)
        gate.open.set()
        await world.settle()
        assert world.published(Billed) == []
        assert len(await world.parked()) == 2
        await world.redrive(service)
        await world.settle()
        assert await seen(world, "slow") == (0, 1)
