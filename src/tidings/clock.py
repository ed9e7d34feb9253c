"""Time comes from here, so that a test can steer it. Also the words for durations: each is a plain timedelta.

Events carry wall time (microseconds since 1970, UTC); nothing is ordered by it. Waiting and deadlines use monotonic
time.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

MICRO = 1_000_000


class Clock(Protocol):
    """What an engine and its callers know of time."""

    def now(self) -> int:
        """Wall time in microseconds since 1970."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""

    async def wait(self, event: asyncio.Event, within: float | None) -> bool:
        """Until the event is set (True) or `within` seconds of this clock have passed (False). None: for ever."""


class SystemClock:
    """The machine's own time."""

    def now(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()

    async def wait(self, event: asyncio.Event, within: float | None) -> bool:
        if event.is_set():
            return True
        try:
            async with asyncio.timeout(within):
                await event.wait()
        except TimeoutError:
            return event.is_set()
        return True


def from_micro(at: int) -> datetime:
    """Microseconds since 1970 as an aware datetime; exact, unlike a float."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)


def to_micro(at: datetime) -> int:
    """The other way; a datetime without a zone is refused, because it names no moment."""
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone")
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def seconds(n: float) -> timedelta:
    return timedelta(seconds=n)


def minutes(n: float) -> timedelta:
    return timedelta(minutes=n)


def hours(n: float) -> timedelta:
    return timedelta(hours=n)


def days(n: float) -> timedelta:
    return timedelta(days=n)
