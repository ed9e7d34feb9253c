"""H30: a saga's state and the commands that follow from it are one commit, and each command has an id of its own:
whoever dies, wherever, each participant sees each command once in effect."""

from __future__ import annotations

import pytest

from tests.delivery.sagas import (
    Booked,
    Flown,
    Fly,
    GivenBack,
    Grounded,
    Paid,
    Purse,
    Travelled,
    airline,
    bank,
    systems,
    travel,
)
from tidings import Service
from tidings.event.envelope import COMMAND, unpack
from tidings.testing import CrashPoint, World, run

pytestmark = pytest.mark.anyio
POINTS: tuple[CrashPoint, ...] = ("before handler", "before commit", "after commit")


def commands(world: World) -> list[str]:
    """What was asked, as `step|do or undo`, in the order of commits."""
    heads = [unpack(event.head) for kept in world._harness.recorder.kept for event in kept.events]
    return ["|".join(head.saga.rsplit("|", 3)[1:3]) for head in heads if head.kind == COMMAND]


@pytest.mark.parametrize("log_apart", [False, True], ids=["one", "apart"])
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("who", ["trips", "bank", "airline", "all"])
async def test_h30_a_crash_between_any_two_steps_asks_for_each_once(
    who: str, point: CrashPoint, log_apart: bool
) -> None:
    services = {service.name: service for service in (travel(), bank(), airline())}
    async with run(systems(*services.values()), log_apart=log_apart) as world:
        for name, service in services.items():
            if who in (name, "all"):
                world.crash(service, at=point)
        await world.publish(Booked(trip="t-1"))
        await world.wait_for(Travelled)
        await world.settle()
        assert commands(world) == ["pay|do", "fly|do"]
        assert await world.get(Purse, "t-1") == Purse(trip="t-1", paid=1, payments=1)
        assert [len(world.published(kind)) for kind in (Paid, Flown, Travelled)] == [1, 1, 1]


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("batch", range(1, 5))
async def test_h30_a_crash_at_any_batch_of_an_undoing_saga_undoes_once(batch: int, point: CrashPoint) -> None:
    trips, planes = travel(), Service("airline")

    @planes.command
    def fly(command: Fly) -> Flown | Grounded:
        return Grounded(trip=command.trip, reason="fog")

    async with run(systems(trips, planes)) as world:
        for _ in range(batch):  # as many deaths, one in each of its next batches
            world.crash(trips, at=point)
        await world.publish(Booked(trip="t-1"))
        assert (await world.wait_for(Travelled)).how == "stayed at home: fog"
        await world.settle()
        assert commands(world) == ["pay|do", "fly|do", "pay|undo"]
        assert await world.get(Purse, "t-1") == Purse(trip="t-1", paid=0, payments=1)
        assert [len(world.published(kind)) for kind in (Paid, Grounded, GivenBack, Travelled)] == [1, 1, 1, 1]


async def test_h30_a_killed_process_goes_on_with_every_saga_it_had() -> None:
    async with run(systems()) as world:
        for number in range(10):
            await world.publish(Booked(trip=f"t-{number}"))
            await world.restart()
        await world.wait_idle()
        assert sorted(event.trip for event in world.published(Travelled)) == [f"t-{n}" for n in range(10)]
        assert len(world.published(Paid)) == len(world.published(Flown)) == 10
