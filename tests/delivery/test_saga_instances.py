"""A saga is found by its key, whatever stands in it, and goes on when the program that began it has been replaced."""

from __future__ import annotations

import pytest

from tests.delivery.sagas import (
    Booked,
    Fly,
    GiveBack,
    GivenBack,
    NotPaid,
    Paid,
    Pay,
    Travelled,
    airline,
    bank,
    systems,
    travel,
)
from tidings import Command, Event, Key, Saga, Service, System, Temporary, Topic, hours, minutes, step
from tidings.testing import World, run

pytestmark = pytest.mark.anyio


class Patient(Saga[Booked], timeout=hours(2)):
    """Its first step is not waited for as long as the whole."""

    @step(timeout=minutes(5))
    def pay(self) -> Pay:
        return Pay(trip=self.start.trip)

    @pay.undo
    def give_back(self) -> GiveBack:
        return GiveBack(trip=self.start.trip, receipt=self.pay.done.receipt)

    @step
    def fly(self) -> Fly:
        return Fly(trip=self.start.trip)

    def failed(self) -> Travelled:
        return Travelled(trip=self.start.trip, how=f"stayed at home: {self.reason}")


def deaf_bank() -> Service:
    service = Service("bank")

    @service.command
    def pay(command: Pay) -> Paid | NotPaid | None:
        return None

    @service.command
    def give_back(command: GiveBack) -> GivenBack:
        return GivenBack(trip=command.trip)

    return service


@pytest.mark.parametrize("key", ["", "|", "a|b|do|1", "a/pay", "ü\n", "\x00", "x" * 5000], ids=repr)
async def test_any_text_is_the_key_of_a_saga(key: str) -> None:
    async with run(systems()) as world:
        await world.publish(Booked(trip=key))
        await world.settle()
        assert [(done.trip, done.how) for done in world.published(Travelled)] == [(key, "by air")]
        await world.wait_idle()


async def test_time_limits_of_sagas_whose_keys_look_like_steps_are_kept_apart() -> None:
    trips = Service("trips")
    trips.saga(Patient)
    async with run(System("travel", [trips, deaf_bank(), airline()])) as world:
        for key in ("a", "a/pay", "pay/a", "/a"):
            await world.publish(Booked(trip=key))
            await world.settle()
        await world.clock.advance(minutes(6))
        told = {done.trip: done.how for done in world.published(Travelled)}
        assert told == dict.fromkeys(("a", "a/pay", "pay/a", "/a"), "stayed at home: no answer from pay in 5 minutes")


class Scanned(Event, topic=Topic("scans", partitions=2)):
    tag: Key[bytes]


class Opened(Event, topic=Topic("doors", partitions=2)):
    tag: Key[bytes]


class Open(Command[Opened]):
    tag: Key[bytes]


class Entry(Saga[Scanned]):
    @step
    def open(self) -> Open:
        return Open(tag=self.start.tag)

    def completed(self) -> Travelled:
        return Travelled(trip=self.start.tag.hex(), how="on foot")


async def test_bytes_that_are_no_text_are_the_key_of_a_saga() -> None:
    service = Service("doors")
    service.saga(Entry)

    @service.command
    def open_(command: Open) -> Opened:
        return Opened(tag=command.tag)

    async with run(System("house", [service])) as world:
        await world.publish(Scanned(tag=b"\xff\x00"), Scanned(tag=b"plain"))
        await world.settle()
        assert sorted(done.trip for done in world.published(Travelled)) == sorted(["ff00", b"plain".hex()])


# ---- another program ----


def short() -> Service:
    """The journey as it was: whoever has paid has travelled."""

    class Journey(Saga[Booked], timeout=minutes(15)):
        @step
        def pay(self) -> Pay:
            return Pay(trip=self.start.trip)

        @pay.undo
        def give_back(self) -> GiveBack:
            return GiveBack(trip=self.start.trip, receipt=self.pay.done.receipt)

        def completed(self) -> Travelled:
            return Travelled(trip=self.start.trip, how="on paper")

    service = Service("trips")
    service.saga(Journey)
    return service


def busy_bank() -> Service:
    service = Service("bank")

    @service.command
    def pay(command: Pay) -> Paid | NotPaid:
        raise Temporary("not now")

    @service.command
    def give_back(command: GiveBack) -> GivenBack:
        return GivenBack(trip=command.trip)

    return service


async def begun(world: World) -> None:
    await world.publish(Booked(trip="t-1"))
    await world.settle()


async def test_a_saga_that_was_begun_before_a_step_was_added_runs_it_too() -> None:
    async with run(System("travel", [short(), busy_bank()])) as world:
        await begun(world)
        await world.restart(System("travel", [travel(), bank(), airline()]))
        await world.clock.advance(minutes(5))
        assert await world.parked() == []
        assert [done.how for done in world.published(Travelled)] == ["by air"]


async def test_a_saga_that_was_begun_before_a_step_was_taken_away_goes_on_without_it() -> None:
    """It was being asked, with a time limit of its own, when the program that has it was replaced."""
    trips = Service("trips")

    class Journey(Patient, timeout=minutes(15)):
        pass

    trips.saga(Journey)
    async with run(System("travel", [trips, deaf_bank(), airline()])) as world:
        await begun(world)
        await world.restart(System("travel", [flight_only(), airline()]))
        await world.clock.advance(minutes(20))
        assert await world.parked() == []
        assert [done.how for done in world.published(Travelled)] == ["stayed at home: no answer from pay in 15 minutes"]


def flight_only() -> Service:
    class Journey(Saga[Booked], timeout=minutes(15)):
        @step(undoable=False)
        def fly(self) -> Fly:
            return Fly(trip=self.start.trip)

        def failed(self) -> Travelled:
            return Travelled(trip=self.start.trip, how=f"stayed at home: {self.reason}")

    service = Service("trips")
    service.saga(Journey)
    return service
