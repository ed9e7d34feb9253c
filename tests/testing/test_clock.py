from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from tidings import hours, seconds
from tidings.clock import MICRO
from tidings.testing import SteeredClock

pytestmark = pytest.mark.anyio


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_it_shows_the_same_moment_until_it_is_moved() -> None:
    start = datetime(2026, 11, 24, 12, tzinfo=UTC)
    clock = SteeredClock(start)
    before = clock.now(), clock.monotonic()
    await turns()
    assert (clock.now(), clock.monotonic()) == before
    await clock.advance(hours(1))
    assert clock.time == start + hours(1)
    assert clock.now() - before[0] == 3600 * MICRO
    assert clock.monotonic() - before[1] == 3600.0


async def test_sleepers_wake_in_order_when_their_time_has_come() -> None:
    clock, woken, never = SteeredClock(), list[int](), asyncio.Event()

    async def sleep(time: int) -> None:
        assert not await clock.wait(never, time)
        woken.append(time)

    tasks = [asyncio.ensure_future(sleep(n)) for n in (3, 1, 2, 60)]
    await turns()
    clock.jump(seconds(0.99))
    await turns()
    assert woken == []
    clock.jump(seconds(2.01))
    assert clock.waking == 3
    await turns()
    assert woken == [1, 2, 3]
    assert clock.waking == 0
    tasks[-1].cancel()


async def test_a_wait_ends_by_its_event_as_well() -> None:
    clock, event = SteeredClock(), asyncio.Event()
    waits = [asyncio.ensure_future(clock.wait(event, within)) for within in (5.0, None, 0.0)]
    await turns()
    event.set()
    assert await asyncio.gather(*waits) == [True, True, False]
    assert await clock.wait(event, 5.0)
    clock.jump(seconds(5))
    assert clock.waking == 0


async def test_alarms_of_waits_that_ended_are_forgotten() -> None:
    clock = SteeredClock()
    for _ in range(5000):
        event = asyncio.Event()
        wait = asyncio.ensure_future(clock.wait(event, 60.0))
        await asyncio.sleep(0)
        event.set()
        await wait
    assert len(clock._sleepers) < 2000


async def test_time_stops_at_each_thing_that_is_due() -> None:
    clock, stops = SteeredClock(), list[int]()
    start = clock.now()
    dues = [start + n * MICRO for n in (1, 2, 2, 7, 99)]

    async def settle() -> None:
        stops.append((clock.now() - start) // MICRO)

    async def next_due() -> int | None:
        return min((due for due in dues if due > clock.now()), default=None)

    clock.settle, clock.next_due = settle, next_due
    await clock.advance(seconds(10))
    assert stops == [0, 1, 2, 7, 10]
