"""H21: a poison event is parked, with all later events of its key behind it in order; other keys flow.

The events of one key are numbered; the third is poison until the code is mended.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec import structs

from tests.delivery.trade import Account, Bill, Billed, Loose, Ordered, seen, system
from tidings import Poison, Retry, Service, Temporary, minutes, seconds
from tidings.engine.unit import Unit
from tidings.errors import Missing
from tidings.testing import CrashPoint, World, run

pytestmark = pytest.mark.anyio
POINTS: tuple[CrashPoint, ...] = ("before handler", "before commit", "after commit")


class Code:
    """The service's code: broken until it is mended."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error or ValueError("number 3")
        self.mended = False
        self.service = Service("billing", retry=Retry(attempts=3, first=seconds(1)))

        @self.service.on
        def charge(event: Ordered, account: Account) -> tuple[Account, Bill]:
            if event.order == "bad" and event.number == 3 and not self.mended:
                raise self.error
            account.seen = (*account.seen, event.number)
            return account, Bill(order=event.order, number=event.number)

        @self.service.command
        def bill(command: Bill) -> Billed:
            return Billed(order=command.order, number=command.number)


def numbered(order: str, *numbers: int) -> list[Ordered]:
    return [Ordered(order=order, number=n) for n in numbers]


async def parked(world: World) -> Sequence[tuple[int, bool]]:
    """(number, whether it failed itself) of each event that waits, in order."""
    return [(one.message.number, bool(one.error)) for one in await world.parked() if isinstance(one.message, Ordered)]


async def test_h21_a_poison_event_parks_its_key_and_others_flow() -> None:
    code = Code()
    async with run(system(code.service)) as world:
        for number in range(1, 10):
            await world.publish(*numbered("bad", number), *numbered("good", number))
        await world.settle()
        assert await seen(world, "bad") == (1, 2)
        assert await parked(world) == [(3, True), *((n, False) for n in range(4, 10))]
        assert await seen(world, "good") == tuple(range(1, 10))
        lag = {p.partition: p.next for p in await world._store.progress("billing")}
        assert sum((await world._harness.engine.log.lag(lag)).values()) == 0, "progress is past them"
        assert (await world._store.tallies("billing"))["parked"] == 1


async def test_h21_a_whole_batch_with_poison_in_it_parks_the_same() -> None:
    code = Code()
    async with run(system(code.service)) as world:
        await world.publish(*[e for n in range(1, 10) for e in (*numbered("bad", n), *numbered("good", n))])
        await world.settle()
        assert await seen(world, "bad") == (1, 2)
        assert await parked(world) == [(3, True), *((n, False) for n in range(4, 10))]
        assert await seen(world, "good") == tuple(range(1, 10))


async def test_h21_redriven_events_come_in_order_with_new_ones_behind() -> None:
    code = Code()
    async with run(system(code.service)) as world:
        await world.publish(*numbered("bad", *range(1, 6)))
        await world.settle()
        code.mended = True
        await world.publish(*numbered("bad", 6, 7))
        await world.settle()
        assert await seen(world, "bad") == (1, 2), "whoever mends the code says when"
        assert await world.redrive(code.service) == 1
        await world.publish(*numbered("bad", 8))
        assert await seen(world, "bad") == tuple(range(1, 9))
        assert await parked(world) == []
        assert [b.number for b in world.published(Billed, key="bad")] == list(range(1, 9))


async def test_h21_new_arrivals_while_the_key_is_driven_again_queue_behind() -> None:
    code = Code()
    async with run(system(code.service)) as world:
        await world.publish(*numbered("bad", *range(1, 30)))
        await world.settle()
        code.mended = True
        parts = [p.partition for p in await world._store.progress("billing") if p.parked]
        assert [await world._store.redrive("billing", part, b"bad", drop=False) for part in parts] == [1]
        for number in range(30, 60):
            await world.publish(*numbered("bad", number))
        world._harness.worker.look()
        assert await seen(world, "bad") == tuple(range(1, 60))


async def test_h21_a_key_that_is_still_broken_parks_again() -> None:
    code = Code()
    async with run(system(code.service)) as world:
        await world.publish(*numbered("bad", *range(1, 6)))
        await world.settle()
        for attempt in range(2, 5):
            await world.redrive(code.service)
            first, *behind = await world.parked()
            assert (first.attempt, first.error) == (attempt, "ValueError: number 3")
            assert [one.error for one in behind] == ["", ""]
        code.mended = True
        await world.redrive(code.service)
        assert await seen(world, "bad") == (1, 2, 3, 4, 5)


async def test_h21_a_dropped_event_lets_its_key_go_on() -> None:
    code = Code()
    async with run(system(code.service)) as world:
        await world.publish(*numbered("bad", *range(1, 6)))
        await world.settle()
        assert await world.redrive(code.service, drop=True) == 1
        assert await seen(world, "bad") == (1, 2, 4, 5)


@pytest.mark.parametrize("point", POINTS)
async def test_h21_a_crash_while_parking_parks_once(point: CrashPoint) -> None:
    code = Code()
    async with run(system(code.service)) as world:
        for number in range(1, 7):
            if point != "before commit" or number <= 3:  # the later ones queue behind: no handler decides about them
                world.crash(code.service, at=point)
            await world.publish(*numbered("bad", number))
            await world.settle()
        assert await seen(world, "bad") == (1, 2)
        assert await parked(world) == [(3, True), (4, False), (5, False), (6, False)]


@pytest.mark.parametrize("deaths", [1, 3, 5])
@pytest.mark.parametrize("point", POINTS)
async def test_h21_a_crash_at_each_step_of_driving_again_keeps_the_order(point: CrashPoint, deaths: int) -> None:
    code = Code()
    async with run(system(code.service)) as world:
        await world.publish(*numbered("bad", *range(1, 8)))
        await world.settle()
        code.mended = True
        for _ in range(deaths):
            world.crash(code.service, at=point)
        await world.redrive(code.service)
        await world.publish(*numbered("bad", 8))
        assert await seen(world, "bad") == tuple(range(1, 9))
        assert [b.number for b in world.published(Billed, key="bad")] == list(range(1, 9))


async def test_h21_a_killed_process_finds_what_was_parked() -> None:
    code = Code()
    async with run(system(code.service)) as world:
        await world.publish(*numbered("bad", *range(1, 6)))
        await world.settle()
        await world.restart()
        await world.publish(*numbered("bad", 6))
        await world.settle()
        assert await parked(world) == [(3, True), (4, False), (5, False), (6, False)]
        code.mended = True
        await world.redrive(code.service)
        assert await seen(world, "bad") == (1, 2, 3, 4, 5, 6)


@pytest.mark.parametrize(
    ("error", "tries"),
    [(Poison("never"), 1), (Temporary("not now"), 3), (TimeoutError("no answer"), 3), (Missing("no row"), 3)],
    ids=["poison", "temporary", "timeout", "missing"],
)
async def test_h21_what_is_worth_another_try_is_tried_before_it_is_parked(error: Exception, tries: int) -> None:
    code = Code(error)
    async with run(system(code.service)) as world:
        await world.publish(*numbered("bad", 3, 4), *numbered("good", 1))
        await world.settle()
        assert await seen(world, "good") == (1,)
        await world.clock.advance(minutes(5))
        first, second = await world.parked()
        assert (first.attempt, second.attempt) == (tries, 0)
        assert str(error) in first.error


async def test_h21_an_event_without_a_key_parks_alone() -> None:
    service, handled = Service("billing"), list[int]()

    @service.on
    def hear(event: Loose) -> None:
        if event.number == 3:
            raise ValueError("number 3")
        handled.append(event.number)

    async with run(system(service)) as world:
        await world.publish(*[Loose(number=n) for n in range(20)])
        await world.settle()
        assert sorted(handled) == [n for n in range(20) if n != 3]
        assert len(await world.parked()) == 1


async def test_h21_what_cannot_be_read_holds_back_the_later_ones_of_its_key_in_the_same_batch() -> None:
    service = Service("billing")

    @service.on
    def charge(event: Ordered) -> Billed:
        return Billed(order=event.order, number=event.number)

    async with run(system(service)) as world:
        now, outside = await world._store.now(), world._runtime.outside
        broken, *later = [outside.event(Ordered(order="o-1", number=n), now) for n in range(3)]
        other = outside.event(Ordered(order="o-2"), now)
        await world._store.commit([Unit(events=[structs.replace(broken, data=b"{"), *later, other])])
        await world.settle()
        assert [bill.order for bill in world.published(Billed)] == ["o-2"]
        assert len(await world.parked()) == 3
