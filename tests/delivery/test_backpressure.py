"""A partition that holds too many events stops, and goes on by itself once there is room again, whoever made it."""

from __future__ import annotations

import pytest
from msgspec import structs

from tests.delivery.trade import Billed, Gate, Ordered, system
from tidings import Service, seconds
from tidings.event.partition import partition_of
from tidings.testing import World, harness, run

pytestmark = pytest.mark.anyio
ONE, TWO, THREE, FOUR = [key for n in range(100) if partition_of((key := f"k-{n}").encode(), 4) == 0][:4]


@pytest.fixture(autouse=True)
def two_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "SETTINGS", structs.replace(harness.SETTINGS, held=2))


def failing(broken: list[bool]) -> Service:
    service = Service("billing")

    @service.on
    def charge(event: Ordered) -> Billed:
        if broken and event.order in {ONE, TWO}:
            raise ValueError("broken")
        return Billed(order=event.order)

    return service


async def full(world: World) -> None:
    """Two events are held, and a third one waits in the log."""
    await world.publish(Ordered(order=ONE), Ordered(order=TWO))
    await world.settle()
    await world.publish(Ordered(order=THREE))
    await world._harness.calm(0.1)
    assert world.published(Billed) == []


async def test_slow_handlers_that_end_make_room() -> None:
    gates, service = [Gate(), Gate()], Service("billing")

    @service.on
    async def charge(event: Ordered) -> Billed:
        if event.number < 2:
            await gates[event.number].pass_through()
        return Billed(order=event.order)

    async with run(system(service)) as world:
        await world.publish(Ordered(order=ONE), Ordered(order=TWO, number=1))
        for gate in gates:
            await gate.begun.wait()
        world.clock.jump(seconds(1))
        await world._harness.calm(0.1)
        await world.publish(Ordered(order=THREE, number=2))
        await world._harness.calm(0.1)
        assert world.published(Billed) == []
        for gate in gates:
            gate.open.set()
        await world.settle()
        assert sorted(bill.order for bill in world.published(Billed)) == sorted([ONE, TWO, THREE])


async def test_an_operator_who_drops_makes_room() -> None:
    service = failing([True])
    async with run(system(service)) as world:
        await full(world)
        await world.redrive(service, key=ONE, drop=True)
        await world.settle()
        assert [bill.order for bill in world.published(Billed)] == [THREE]


async def test_an_operator_who_redrives_makes_room() -> None:
    broken = [True]
    service = failing(broken)
    async with run(system(service)) as world:
        await full(world)
        broken.clear()
        await world.redrive(service)
        await world.settle()
        assert [bill.order for bill in world.published(Billed)] == [ONE, TWO, THREE]


async def test_a_pause_and_its_end_make_no_room() -> None:
    service = failing([True])
    async with run(system(service)) as world:
        await full(world)
        await world.pause(service)
        await world.resume(service)
        await world._harness.calm(0.1)
        assert world.published(Billed) == []


async def test_another_owner_is_stopped_too() -> None:
    service = failing([True])
    async with run(system(service)) as world:
        await full(world)
        await world.redrive(service, key=ONE, drop=True)
        await world.settle()
        await world.publish(Ordered(order=TWO), Ordered(order=TWO))
        await world._harness.calm(0.1)
        for part in [p.partition for p in await world._store.progress("billing")]:
            await world._store.claim("billing", "another", {part: 0})
        for _ in range(2):
            world._harness.worker.look()
            await world._harness.calm(0.1)
        await world.publish(Ordered(order=FOUR))
        await world._harness.calm(0.1)
        assert [bill.order for bill in world.published(Billed)] == [THREE]
