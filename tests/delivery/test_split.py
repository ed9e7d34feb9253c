"""A batch with an impossible write is halved until it is found. The halves are commits of their own: what happens to
the first one binds the second."""

from __future__ import annotations

import pytest
from msgspec import structs

from tests.delivery.trade import Account, Billed, Ordered, seen, system
from tidings import Service, minutes
from tidings.delivery.intake import Work, marks_of
from tidings.delivery.split import halves
from tidings.delivery.subscription import Arrival
from tidings.engine.unit import Held, Mark, Partition, Unit
from tidings.event.partition import partition_of
from tidings.testing import World, run

pytestmark = pytest.mark.anyio
TOO_BIG = 1 << 70  # for a column of SQL
ONE, TWO, THREE, FOUR = [key for n in range(100) if partition_of((key := f"k-{n}").encode(), 4) == 0][:4]


def billing(fails: str = "", runs: list[tuple[str, int]] | None = None) -> Service:
    service = Service("billing")

    @service.on
    def charge(event: Ordered, account: Account) -> tuple[Billed, Account]:
        if runs is not None:
            runs.append((event.order, event.number))
        if event.order == fails and event.number == 0:
            raise ValueError("broken")
        account.total = event.number
        account.seen = (*account.seen, event.number)
        return Billed(order=event.order, number=event.number), account

    return service


async def test_what_fails_in_the_first_half_holds_back_its_key_in_the_second() -> None:
    async with run(system(billing(fails=ONE))) as world:
        await world.publish(
            Ordered(order=ONE), Ordered(order=TWO), Ordered(order=ONE, number=1), Ordered(order=THREE, number=TOO_BIG)
        )
        await world.settle()
        assert [bill.order for bill in world.published(Billed)] == [TWO]
        assert await seen(world, ONE) == ()
        assert [(one.key, bool(one.error)) for one in await world.parked()] == [
            (ONE, True), (ONE, False), (THREE, True),
        ]  # fmt: skip


async def test_what_cannot_be_read_holds_back_its_key_in_both_halves() -> None:
    async with run(system(billing())) as world:
        now, outside = await world._store.now(), world._runtime.outside
        broken, two, one, three = [
            outside.event(Ordered(order=key, number=number), now)
            for key, number in ((ONE, 0), (TWO, 0), (ONE, 1), (THREE, TOO_BIG))
        ]
        await world._store.commit([Unit(events=[structs.replace(broken, data=b"{"), two, one, three])])
        await world.settle()
        assert [bill.order for bill in world.published(Billed)] == [TWO]
        assert [one.key for one in await world.parked()] == [ONE, ONE, THREE]


async def test_a_pause_between_the_halves_loses_nothing() -> None:
    service, runs = Service("billing"), list[str]()
    pausing: list[World] = []

    @service.on
    async def charge(event: Ordered, account: Account) -> tuple[Billed, Account]:
        runs.append(event.order)
        if runs.count(ONE) == 2 and event.order == ONE and pausing:  # in the first half
            world = pausing.pop()
            parts = [p.partition for p in await world._store.progress("billing")]
            await world._store.set_paused("billing", parts, "by an operator")
        account.total = event.number
        return Billed(order=event.order), account

    async with run(system(service)) as world:
        pausing.append(world)
        await world.publish(
            Ordered(order=ONE), Ordered(order=TWO), Ordered(order=THREE), Ordered(order=FOUR, number=TOO_BIG)
        )
        await world.settle()
        assert not pausing
        await world.resume(service)
        await world.settle()
        assert [bill.order for bill in world.published(Billed)] == [ONE, TWO, THREE]
        assert [one.key for one in await world.parked()] == [FOUR]
        await world.clock.advance(minutes(1))
        assert len(world.published(Billed)) == 3


def test_what_was_put_aside_and_the_stamps_go_with_the_half_they_lie_in() -> None:
    """Or a crash between the halves would read again what is held already, or pass over what was never done."""
    part = Partition("t", 0)

    def arrival(offset: int) -> Arrival:
        return Arrival(0, part, offset, 0, None, b"", None, None, None, None)  # type: ignore[arg-type]

    held = [Held(part, offset, 0, b"k", b"", None, None) for offset in (11, 14)]
    stamps = [(part, offset, Mark("relay", 1, offset)) for offset in (10, 12, 13, 15)]
    work = Work([arrival(10), arrival(12), arrival(13), arrival(15)], {part: 16}, marks_of(stamps), stamps, held)
    first, second = halves(work)
    assert [one.ends for one in (first, second)] == [{part: 13}, {part: 16}]
    assert [[h.offset for h in one.held] for one in (first, second)] == [[11], [14]]
    assert [one.marks[part]["relay"].sequence for one in (first, second)] == [12, 15]
