"""At-least-once: the handler first, its effects outside, then progress. A crash repeats some, loses none."""

from __future__ import annotations

import pytest

from tests.delivery.trade import Account, Billed, Mails, Ordered, system
from tidings import Delivery, Service, seconds
from tidings.testing import CrashPoint, run

pytestmark = pytest.mark.anyio


def letters(mails: Mails) -> Service:
    service = Service("letters", guarantee="at-least-once")

    @service.on
    async def thank(event: Ordered, account: Account, delivery: Delivery) -> tuple[Billed, Account]:
        mails.send(event.order, event.number, delivery.idempotency_key)
        account.total += 1
        return Billed(order=event.order, number=event.number), account

    return service


async def test_a_crash_before_progress_repeats_the_effect_outside_under_the_same_key() -> None:
    mails = Mails()
    service = letters(mails)
    async with run(system(service)) as world:
        world.crash(service, at="before commit")  # the mail is out, nothing says so: the worst moment
        await world.publish(Ordered(order="o-1"))
        await world.wait_for(Billed)
        assert mails.sent == [("o-1", 0), ("o-1", 0)]
        assert mails.ids[0] == mails.ids[1] != ""


@pytest.mark.parametrize("point", ["before handler", "after commit"])
async def test_a_crash_at_another_moment_repeats_nothing(point: CrashPoint) -> None:
    mails = Mails()
    service = letters(mails)
    async with run(system(service)) as world:
        world.crash(service, at=point)
        await world.publish(Ordered(order="o-1"))
        await world.clock.advance(seconds(60))
        assert mails.sent == [("o-1", 0)]


@pytest.mark.parametrize("point", ["before handler", "before commit", "after commit"])
async def test_a_crash_loses_nothing_and_doubles_no_effect_of_ours(point: CrashPoint) -> None:
    mails = Mails()
    service = letters(mails)
    async with run(system(service)) as world:
        for number in range(10):
            world.crash(service, at=point)
            await world.publish(Ordered(order=f"o-{number % 3}", number=number))
            await world.settle()
        assert {number for _, number in mails.sent} == set(range(10))
        assert sorted(bill.number for bill in world.published(Billed)) == list(range(10))
        rows = [await world.get(Account, f"o-{n}") for n in range(3)]
        assert sum(row.total for row in rows if row is not None) == 10


async def test_a_long_batch_is_committed_in_pieces_so_that_a_crash_repeats_few() -> None:
    mails = Mails()
    service = letters(mails)
    async with run(system(service)) as world:
        await world.pause(service)
        await world.publish(*[Ordered(order="o-1", number=n) for n in range(200)])
        world.crash(service, at="before commit")
        await world.resume(service)
        await world.settle()
        assert len(mails.sent) == 250
        assert [number for _, number in mails.sent[50:]] == list(range(200))
