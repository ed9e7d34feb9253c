"""H24: a parked event keeps the bytes and the version it was written in; the code that redrives it reads it."""

from __future__ import annotations

from typing import Any

import pytest

from tidings import Event, Key, Row, Service, System, Topic
from tidings.testing import run

pytestmark = pytest.mark.anyio
parcels = Topic("parcels", partitions=2)


class Weighed(Row, table="weighed"):
    parcel: Key[str]
    grams: int = 0
    origin: str = ""


class Sent(Event, topic=parcels):
    """As the first release wrote it: kilos."""

    parcel: Key[str]
    kilos: int


def in_grams(old: dict[str, Any]) -> dict[str, Any]:
    return {"parcel": old["parcel"], "grams": old["kilos"] * 1000}


def with_origin(old: dict[str, Any]) -> dict[str, Any]:
    return {**old, "origin": "unknown"}


class SentNow(Event, topic=parcels, name="Sent", version=3, upcasts={1: in_grams, 2: with_origin}):
    parcel: Key[str]
    grams: int
    origin: str


def first_release() -> System:
    scales = Service("scales")

    @scales.on
    def weigh(event: Sent, row: Weighed) -> Weighed:
        if event.kilos < 0:
            raise ValueError("lighter than nothing")
        row.grams += event.kilos * 1000
        return row

    return System("post", [scales])


def next_release() -> System:
    scales = Service("scales")

    @scales.on
    def weigh(event: SentNow, row: Weighed) -> Weighed:
        row.grams += max(event.grams, 0)
        row.origin = event.origin
        return row

    return System("post", [scales])


async def test_h24_an_event_parked_in_an_old_version_is_driven_through_new_code() -> None:
    async with run(first_release()) as world:
        await world.publish(Sent(parcel="p-1", kilos=-1), Sent(parcel="p-1", kilos=2), Sent(parcel="p-2", kilos=5))
        await world.settle()
        assert [one.message for one in await world.parked()] == [
            Sent(parcel="p-1", kilos=-1),
            Sent(parcel="p-1", kilos=2),
        ]
        system = next_release()
        await world.restart(system)
        assert [one.message for one in await world.parked()] == [
            SentNow(parcel="p-1", grams=-1000, origin="unknown"),
            SentNow(parcel="p-1", grams=2000, origin="unknown"),
        ]
        await world.publish(SentNow(parcel="p-1", grams=1, origin="here"))
        assert await world.redrive(system.services[0]) == 1
        assert await world.get(Weighed, "p-1") == Weighed(parcel="p-1", grams=2001, origin="here")
        assert await world.get(Weighed, "p-2") == Weighed(parcel="p-2", grams=5000)


async def test_h24_an_event_that_no_upcast_reads_is_parked_until_one_does() -> None:
    class SentWrong(Event, topic=parcels, name="Sent", version=2, upcasts={1: lambda old: old["nothing"]}):
        parcel: Key[str]

    scales = Service("scales")

    @scales.on
    def weigh(event: SentWrong, row: Weighed) -> Weighed:
        return row

    async with run(System("post", [Service("other")])) as world:
        await world.publish(Sent(parcel="p-1", kilos=3))
        await world.restart(System("post", [scales]))
        (parked,) = await world.parked()
        assert (parked.message, parked.attempt) == (None, 1)
        assert "'nothing'" in parked.error
        system = next_release()
        await world.restart(system)
        await world.redrive(system.services[0])
        assert await world.get(Weighed, "p-1") == Weighed(parcel="p-1", grams=3000, origin="unknown")


async def test_h24_a_redrive_that_still_cannot_read_it_parks_it_again() -> None:
    class SentWrong(Event, topic=parcels, name="Sent", version=2, upcasts={1: lambda old: old["nothing"]}):
        parcel: Key[str]

    async with run(first_release()) as world:
        await world.publish(Sent(parcel="p-1", kilos=-1))
        await world.settle()
        scales = Service("scales")

        @scales.on
        def weigh(event: SentWrong, row: Weighed) -> Weighed:
            return row

        await world.restart(System("post", [scales]))
        await world.redrive(scales)
        (parked,) = await world.parked()
        assert "it cannot be read" in parked.error
        assert parked.attempt == 2
