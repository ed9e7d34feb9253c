"""H26: a participant that answers at once answers a saga that is there: commands leave in the commit that began it."""

from __future__ import annotations

import pytest

from tests.delivery.sagas import Booked, Flown, GiveBack, GivenBack, Journey, NotPaid, Paid, Pay, Travelled, systems
from tidings import Rejected, Service
from tidings.testing import CrashPoint, run

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("log_apart", [False, True], ids=["one", "apart"])
async def test_h26_a_participant_without_any_delay_is_heard(log_apart: bool) -> None:
    async with run(systems(), log_apart=log_apart) as world:
        for number in range(20):
            await world.publish(Booked(trip=f"t-{number}"))
        await world.settle()
        assert {event.trip for event in world.published(Travelled)} == {f"t-{n}" for n in range(20)}


@pytest.mark.parametrize("point", ["before handler", "before commit", "after commit"])
async def test_h26_a_saga_that_dies_while_it_begins_is_answered_all_the_same(point: CrashPoint) -> None:
    trips = Service("trips")
    trips.saga(Journey)
    async with run(systems(trips)) as world:
        world.crash(trips, at=point)
        await world.publish(Booked(trip="t-1"))
        await world.wait_for(Travelled, key="t-1")
        await world.settle()
        assert len(world.published(Travelled)) == 1
        assert len(world.published(Paid)) == len(world.published(Flown)) == 1


async def test_h26_an_answer_that_nobody_asked_for_begins_and_ends_nothing() -> None:
    """B before A: what comes before the saga asked is no answer to it; it asks, and hears the answer to that."""
    async with run(systems()) as world:
        await world.publish(Paid(trip="t-1", receipt="stray"))
        await world.settle()
        await world.publish(Booked(trip="t-1"))
        await world.wait_for(Travelled, key="t-1")
        assert [paid.receipt for paid in world.published(Paid)] == ["stray", "r-t-1"]


async def test_h26_a_refusal_without_any_delay_is_heard() -> None:
    trips, bank = Service("trips"), Service("bank")
    trips.saga(Journey)

    @bank.command
    def pay(command: Pay) -> Paid | NotPaid:
        raise Rejected("no funds")

    @bank.command
    def give_back(command: GiveBack) -> GivenBack:
        return GivenBack(trip=command.trip)

    async with run(systems(trips, bank)) as world:
        await world.publish(Booked(trip="t-1"))
        assert (await world.wait_for(Travelled, key="t-1")).how == "stayed at home: no funds"


async def test_h26_a_second_start_of_the_same_key_begins_nothing_new() -> None:
    async with run(systems()) as world:
        await world.publish(Booked(trip="t-1"), Booked(trip="t-1"))
        await world.settle()
        await world.publish(Booked(trip="t-1"))
        await world.settle()
        assert len(world.published(Travelled)) == 1
