"""H37: a producer may be deployed before its consumers. A newer version pauses the group that hears the type, until a
program that knows it comes; a type that nobody here hears is passed over, counted, and its first place is noted."""

from __future__ import annotations

from typing import Any

import pytest

from tidings import Command, Event, Key, Row, Service, System, Topic
from tidings.testing import run

pytestmark = pytest.mark.anyio
shipping = Topic("shipping", partitions=1)
strict = Topic("strict", partitions=1, closed=True)


class Shelf(Row, table="shelves"):
    item: Key[str]
    count: int = 0
    notes: tuple[str, ...] = ()


class Arrived(Event, topic=shipping):
    item: Key[str]


def with_place(old: dict[str, Any]) -> dict[str, Any]:
    return {**old, "place": "hall"}


class ArrivedAt(Event, topic=shipping, name="Arrived", version=2, upcasts={1: with_place}):
    item: Key[str]
    place: str


class Left(Event, topic=shipping):
    item: Key[str]


class Sealed(Event, topic=strict):
    item: Key[str]


class Broken(Event, topic=strict):
    item: Key[str]


def old_release() -> System:
    stock = Service("stock")

    @stock.on
    def arrived(event: Arrived, shelf: Shelf) -> Shelf:
        shelf.count += 1
        return shelf

    return System("hall", [stock])


def new_release() -> System:
    stock = Service("stock")

    @stock.on
    def arrived(event: ArrivedAt, shelf: Shelf) -> Shelf:
        shelf.count += 1
        shelf.notes = (*shelf.notes, event.place)
        return shelf

    return System("hall", [stock])


async def test_h37_a_newer_version_pauses_the_group_until_a_program_knows_it() -> None:
    async with run(old_release()) as world:
        await world.publish(Arrived(item="i-1"))
        await world.settle()
        await world.restart(new_release())
        await world.pause(world._runtime.program.services[0])
        await world.publish(ArrivedAt(item="i-1", place="roof"))
        await world.restart(old_release())  # the producer was deployed first, its consumer is still the old one
        await world.resume(world._runtime.program.services[0])
        (row,) = [p for p in await world._store.progress("stock") if p.partition.topic == "shipping"]
        assert row.paused == "newer: Arrived version 2, known here up to 1"
        await world.publish(Arrived(item="i-1"))
        shelf = await world.get(Shelf, "i-1")
        assert shelf == Shelf(item="i-1", count=1)
        await world.restart(new_release())
        assert await world.get(Shelf, "i-1") == Shelf(item="i-1", count=3, notes=("roof", "hall"))
        assert await world.parked() == []


async def test_h37_only_the_group_that_hears_the_type_pauses() -> None:
    def both(heard: type[Event]) -> System:
        stock, log = Service("stock"), Service("log")

        def note(event: Event, shelf: Shelf) -> Shelf:
            shelf.count += 1
            return shelf

        note.__annotations__["event"] = heard
        stock.on(note)

        @log.on
        def left(event: Left) -> Registered:
            return Registered(item=event.item)

        return System("hall", [stock, log])

    async with run(both(ArrivedAt)) as world:
        await world.pause(world._runtime.program.services[0])
        await world.publish(ArrivedAt(item="i-1", place="roof"), Left(item="i-1"))
        await world.restart(both(Arrived))
        await world.resume(world._runtime.program.services[0])
        await world.settle()
        assert len(world.published(Registered)) == 1
        paused = {p.group for p in await world._store.progress() if p.paused}
        assert paused == {"stock"}


class Registered(Event, topic=Topic("register", partitions=1)):
    item: Key[str]


async def test_h37_a_type_that_nobody_here_hears_is_passed_over_counted_and_noted() -> None:
    async with run(old_release()) as world:
        await world.publish(Arrived(item="i-1"), Left(item="i-1"), Left(item="i-1"), Arrived(item="i-1"))
        assert await world.get(Shelf, "i-1") == Shelf(item="i-1", count=2)
        assert (await world._store.tallies("stock"))["unknown"] == 2
        (note,) = [n for n in await world._store.notes("stock", 10) if n.outcome == "unknown"]
        first = note.offset
        assert note.text == "Left"
        system = new_release()

        @system.services[0].on
        def left(event: Left, shelf: Shelf) -> Shelf:
            shelf.notes = (*shelf.notes, "left")
            return shelf

        await world.restart(System("hall", system.services))
        await world.reset(system.services[0], first, effects="muted")
        shelf = await world.get(Shelf, "i-1")
        assert shelf is not None
        assert shelf.notes == ("left", "left", "hall"), "from the first place that was noted on"


async def test_h37_a_type_that_the_program_knows_and_the_group_does_not_hear_is_no_news() -> None:
    other = Service("other")

    @other.on
    def left(event: Left) -> None:
        return None

    async with run(System("hall", [*old_release().services, other])) as world:
        await world.publish(Arrived(item="i-1"), Left(item="i-1"))
        await world.settle()
        assert "unknown" not in await world._store.tallies("stock")
        assert "unknown" not in await world._store.tallies("other")


async def test_h37_an_unknown_type_pauses_a_group_in_a_closed_topic() -> None:
    class Note(Command):
        item: Key[str]

    guard = Service("guard")

    @guard.on
    def sealed(event: Sealed, shelf: Shelf) -> Shelf:
        shelf.count += 1
        return shelf

    async with run(System("hall", [guard])) as world:
        await world.publish(Sealed(item="i-1"), Broken(item="i-1"), Sealed(item="i-1"))
        await world.settle()
        (row,) = await world._store.progress("guard")
        assert row.paused == "unknown type Broken in the closed topic strict"
        assert await world.get(Shelf, "i-1") == Shelf(item="i-1", count=1)
        again = Service("guard")

        @again.on
        def all_of_it(event: Sealed | Broken, shelf: Shelf) -> Shelf:
            shelf.count += 1
            return shelf

        await world.restart(System("hall", [again]))
        await world.resume(again)
        assert await world.get(Shelf, "i-1") == Shelf(item="i-1", count=3)
