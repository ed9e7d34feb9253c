"""Whatever a handler raises is a failure of that event: no exception, however odd, stops its group in silence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.delivery.trade import Billed, Ordered, system
from tidings import Service
from tidings.testing import run

pytestmark = pytest.mark.anyio


class Odd(BaseException):
    """No Exception, as some libraries raise."""


def plain(service: Service, raised: type[BaseException]) -> None:
    @service.on
    def charge(event: Ordered) -> Billed:
        if event.number == 0:
            raise raised
        return Billed(order=event.order, number=event.number)


def awaited(service: Service, raised: type[BaseException]) -> None:
    @service.on
    async def charge(event: Ordered) -> Billed:
        if event.number == 0:
            raise raised
        return Billed(order=event.order, number=event.number)


def blocking(service: Service, raised: type[BaseException]) -> None:
    @service.on(blocking=True)
    def charge(event: Ordered) -> Billed:
        if event.number == 0:
            raise raised
        return Billed(order=event.order, number=event.number)


@pytest.mark.parametrize("raised", [Odd, asyncio.CancelledError, SystemExit])
@pytest.mark.parametrize("way", [plain, awaited, blocking])
async def test_an_odd_exception_parks_its_event_and_the_group_goes_on(
    way: Callable[[Service, type[BaseException]], None], raised: type[BaseException]
) -> None:
    service = Service("billing")
    way(service, raised)
    async with run(system(service)) as world:
        await world.publish(Ordered(order="odd"))
        await world.settle()
        await world.publish(Ordered(order="even", number=1))
        await world.settle()
        assert [bill.order for bill in world.published(Billed)] == ["even"]
        (parked,) = await world.parked()
        assert raised.__name__ in parked.error
        assert world._harness.worker.health()["billing"].restarts == 0


async def test_whoever_parks_an_event_says_so_and_where_it_was_raised(caplog: pytest.LogCaptureFixture) -> None:
    """A program without any set-up of logging prints warnings: a parked event is not met with silence."""
    service = Service("billing")
    plain(service, ZeroDivisionError)
    async with run(system(service)) as world:
        await world.publish(Ordered(order="odd"))
        await world.settle()
    (said,) = [r for r in caplog.records if "is parked" in r.message]
    assert said.levelname == "WARNING"
    assert said.message.startswith("group billing: Ordered of key 'odd' is parked: ZeroDivisionError")
    assert "raise raised" in caplog.text


async def test_an_event_that_cannot_be_read_is_said_to_be_parked(caplog: pytest.LogCaptureFixture) -> None:
    service = Service("billing")
    plain(service, ZeroDivisionError)
    unreadable: Any = "seven"
    async with run(system(service)) as world:
        await world.publish(Ordered(order="odd", number=unreadable))
        await world.settle()
    assert "group billing: Ordered of key 'odd' is parked: " in caplog.text
