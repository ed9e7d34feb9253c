"""H28: an undo never overtakes its action: it is asked for a step that said it was done, and only then.

The action may be as late as it likes: when it is done at last, its undo follows.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.delivery.sagas import (
    Booked,
    GiveBack,
    GivenBack,
    NotPaid,
    Paid,
    Pay,
    Purse,
    Travelled,
    bank,
    systems,
    travel,
)
from tidings import Service, minutes
from tidings.testing import Scenario, run

pytestmark = pytest.mark.anyio


async def test_h28_an_action_delayed_past_the_end_is_undone_when_it_is_done() -> None:
    service = bank()
    async with run(systems(service)) as world:
        await world.pause(service)
        await world.publish(Booked(trip="t-1"))
        await world.clock.advance(minutes(60))
        assert (await world.wait_for(Travelled)).how.startswith("stayed at home")
        assert not world.published(GivenBack), "nothing was done, so nothing is undone"
        await world.resume(service)
        await world.settle()
        assert (len(world.published(Paid)), len(world.published(GivenBack))) == (1, 1)
        assert await world.get(Purse, "t-1") == Purse(trip="t-1", paid=0, payments=1)


async def test_h28_an_action_still_running_when_time_is_up_is_undone_after_it() -> None:
    begun, finish, log = asyncio.Event(), asyncio.Event(), list[str]()
    service = Service("bank")

    @service.command
    async def pay(command: Pay) -> Paid | NotPaid:
        begun.set()
        await finish.wait()
        log.append("paid")
        return Paid(trip=command.trip, receipt="r")

    @service.command
    async def give_back(command: GiveBack) -> GivenBack:
        log.append("given back")
        return GivenBack(trip=command.trip)

    async with run(systems(service)) as world:
        await world.publish(Booked(trip="t-1"))
        await begun.wait()
        world.clock.jump(minutes(16))
        await world.wait_for(Travelled)
        assert log == []
        finish.set()
        await world.wait_for(GivenBack)
        assert log == ["paid", "given back"]


def test_h28_a_saga_that_gave_up_asks_for_the_undo_at_the_late_answer() -> None:
    late = Scenario(travel()).given(Booked(trip="t-1")).when_passed(minutes(15))
    late.then(Travelled(trip="t-1", how="stayed at home: no answer from pay in 15 minutes"))
    late.when(Paid(trip="t-1", receipt="r")).then(GiveBack(trip="t-1", receipt="r"))
    late.when(Paid(trip="t-1", receipt="r"), Paid(trip="t-1", receipt="r")).then(GiveBack(trip="t-1", receipt="r"))
