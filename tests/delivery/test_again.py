"""A handler that runs again for its event is handed that event as it lies in the log, whatever an earlier run did."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

import pytest

from tests.delivery.trade import Account, Bill, Billed, Gate, system
from tidings import By, Event, Key, Service, Topic, seconds
from tidings.testing import run

pytestmark = pytest.mark.anyio


class Filled(Event, topic=Topic("carts", partitions=1)):
    cart: Key[str]
    items: list[int]
    owner: str = "all"


async def test_an_event_that_a_handler_changed_is_read_again_where_its_state_moved() -> None:
    service, runs = Service("carts"), list[str]()

    @service.on
    async def fill(event: Filled, account: Annotated[Account, By("owner")]) -> Account:
        runs.append(event.cart)
        event.items.append(100)
        await asyncio.sleep(0)
        account.total += sum(event.items)
        return account

    async with run(system(service)) as world:
        await world.publish(*[Filled(cart=f"c-{n}", items=[n]) for n in range(10)])
        await world.settle()
        row = await world.get(Account, "all")
        assert row is not None
        assert len(runs) > 10, "some ran again"
        assert row.total == sum(range(10)) + 10 * 100


async def test_an_event_that_a_slow_handler_changed_is_read_again_where_its_state_moved() -> None:
    gate, service = Gate(), Service("carts")

    @service.on
    async def fill(event: Filled, account: Annotated[Account, By("owner")]) -> Account:
        event.items.append(100)
        await gate.pass_through()
        account.total += sum(event.items)
        return account

    async with run(system(service)) as world:
        await world.publish(Filled(cart="c", items=[1]))
        await gate.begun.wait()
        world.clock.jump(seconds(1))
        await world._harness.calm(0.1)
        await world.store(Account(order="all", total=1000))
        gate.open.set()
        await world.settle()
        assert await world.get(Account, "all") == Account(order="all", total=1101)


async def test_an_event_that_a_handler_changed_is_read_again_where_its_batch_is_split() -> None:
    service = Service("carts")

    @service.on
    def fill(event: Filled, account: Annotated[Account, By("cart")]) -> Account:
        event.items.append(100)
        account.total = sum(event.items)
        return account

    async with run(system(service)) as world:
        await world.publish(*[Filled(cart=f"c-{n}", items=[n]) for n in range(4)], Filled(cart="big", items=[1 << 63]))
        await world.settle()
        rows = [await world.get(Account, f"c-{n}") for n in range(4)]
        assert [row and row.total for row in rows] == [100, 101, 102, 103]


@pytest.mark.parametrize("effects", ["muted", "again"])
async def test_a_command_that_somebody_waited_for_is_not_done_again_by_a_reset(
    effects: Literal["muted", "again"],
) -> None:
    service = Service("office")

    @service.command
    def bill(command: Bill, account: Account) -> tuple[Account, Billed]:
        account.total += 1
        return account, Billed(order=command.order)

    async with run(system(service)) as world:
        await world.call(Bill(order="o-1"))
        await world.call(Bill(order="o-1"), id="mine")
        await world.call(Bill(order="o-1"), id="mine")
        await world.send(Bill(order="o-1"))
        await world.settle()
        await world.reset(service, effects=effects)
        await world.settle()
        assert await world.get(Account, "o-1") == Account(order="o-1", total=4), "the one that nobody waited for"
        assert len(world.published(Billed)) == (3 if effects == "muted" else 4)
