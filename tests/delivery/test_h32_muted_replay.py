"""H32: a replay with muted effects is a recorded state: below the old place nothing is told or asked,
above it everything is, and a crash in the middle forgets neither."""

from __future__ import annotations

import pytest

from tests.delivery.trade import Account, Bill, Billed, Mails, Ordered, system
from tidings import Delivery, Later, Service, Tick, days, hours, seconds
from tidings.errors import Refused
from tidings.testing import CrashPoint, run

pytestmark = pytest.mark.anyio
OLD, NEW = 300, 20


def office(mails: Mails) -> Service:
    """Mails about each order, a command for each, a row that counts them."""
    service = Service("office")

    @service.on
    async def write(event: Ordered, delivery: Delivery) -> None:
        mails.send(event.order, event.number, "replayed" if delivery.replayed else "")

    @service.on
    def count(event: Ordered, account: Account) -> tuple[Account, Bill]:
        account.total += 1
        return account, Bill(order=event.order, number=event.number)

    @service.command
    def bill(command: Bill) -> Billed:
        return Billed(order=command.order, number=command.number)

    return service


def events(first: int, last: int) -> list[Ordered]:
    return [Ordered(order=f"o-{n % 5}", number=n) for n in range(first, last)]


async def test_h32_old_events_mail_nobody_and_new_ones_do() -> None:
    mails = Mails()
    service = office(mails)
    async with run(system(service)) as world:
        await world.publish(*events(0, OLD))
        await world.settle()
        assert len(mails.sent) == len(world.published(Billed)) == OLD
        await world.pause(service)
        await world.reset(service, effects="muted")
        await world.publish(*events(OLD, OLD + NEW))  # while it replays
        await world.resume(service)
        await world.settle()
        assert sorted(number for _, number in mails.sent) == list(range(OLD + NEW))
        assert sorted(bill.number for bill in world.published(Billed)) == list(range(OLD + NEW))
        row = await world.get(Account, "o-0")
        assert row is not None
        assert row.total == (2 * OLD + NEW) // 5, "rows are kept: its handler counted again"


@pytest.mark.parametrize("point", ["before handler", "before commit", "after commit"])
async def test_h32_a_crash_in_the_middle_forgets_no_boundary(point: CrashPoint) -> None:
    mails = Mails()
    service = office(mails)
    async with run(system(service)) as world:
        await world.publish(*events(0, OLD))
        await world.settle()
        await world.reset(service, effects="muted")
        world.crash(service, at=point)
        world.crash(service, at=point)
        await world.publish(*events(OLD, OLD + NEW))
        await world.settle()
        await world.restart()
        await world.settle()
        told = [number for _, number in mails.sent]
        assert sorted(set(told)) == list(range(OLD + NEW))
        assert all(told.count(number) == 1 for number in range(OLD)), "nothing old is mailed again"
        assert sorted(bill.number for bill in world.published(Billed)) == list(range(OLD + NEW))


async def test_h32_effects_that_shall_happen_again_do() -> None:
    mails = Mails()
    service = office(mails)
    async with run(system(service)) as world:
        await world.publish(*events(0, 10))
        await world.settle()
        with pytest.raises(Refused, match="shall their effects happen again"):
            await world.reset(service)
        await world.reset(service, effects="again")
        await world.settle()
        assert len(mails.sent) == 20


async def test_h32_a_held_event_of_the_muted_range_stays_muted() -> None:
    """It is put off by a row that is not there yet; when it comes at last, it is still an old event."""
    service, broken, told = Service("office"), [True], list[int]()

    @service.on
    def count(event: Ordered, account: Account) -> tuple[Account, Billed]:
        if broken and event.number == 0 and told:
            raise TimeoutError("later")
        account.total += 1
        told.append(event.number)
        return account, Billed(order=event.order, number=event.number)

    async with run(system(service)) as world:
        await world.publish(*events(0, 5))
        await world.settle()
        await world.reset(service, effects="muted")
        await world.settle()
        broken.clear()
        await world.publish(*events(5, 6))
        await world.clock.advance(seconds(60))
        assert sorted(bill.number for bill in world.published(Billed)) == list(range(6))


async def test_h32_timers_go_on_after_a_muted_reset() -> None:
    service, ticks = Service("office"), list[object]()

    @service.on
    def later(event: Ordered) -> Later[Bill]:
        return Later(Bill(order=event.order, number=event.number), after=days(1))

    @service.command
    def bill(command: Bill) -> Billed:
        return Billed(order=command.order, number=command.number)

    @service.every(hours(6))
    def look(tick: Tick) -> None:
        ticks.append(tick.due)

    async with run(system(service)) as world:
        await world.publish(*events(0, 5))
        await world.settle()
        await world.reset(service, effects="muted")
        await world.publish(*events(5, 6))
        await world.clock.advance(days(2))
        assert [bill.number for bill in world.published(Billed)] == [5], "what waited went with the reset"
        assert len(ticks) == 8


async def test_h32_a_projection_is_emptied_and_filled_anew() -> None:
    service = Service("office")
    accounts = service.projection(Account)

    @accounts.on
    def count(event: Ordered, account: Account) -> Account:
        account.total += 1
        return account

    async with run(system(service)) as world:
        await world.publish(*events(0, 50))
        await world.store(Account(order="nobody", total=7))
        await world.settle()
        await world.reset(accounts)
        assert await world.get(Account, "o-0") == Account(order="o-0", total=10)
        assert await world.get(Account, "nobody") is None
        with pytest.raises(Refused, match="it resets only to its start"):
            await world.reset(accounts, "end")
