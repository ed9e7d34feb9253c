"""A clock that stands still until a test moves it.

    jump      time is another at once; whoever slept until then wakes up
    advance   everything comes to rest; then jumps from one thing that is due to the next, with a rest after each

Who sleeps by this clock and was woken does not run at once: until it does, the clock is `waking`, and there is no rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TypeAlias

from tidings.clock import MICRO, from_micro, to_micro

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
SLACK = 1e-6  # seconds: alarms are floats, moments are whole microseconds
Alarm: TypeAlias = "asyncio.Future[None]"


async def nothing() -> None:
    """What a clock waits for, before and after each move, when nobody says otherwise."""


async def never() -> int | None:
    return None


class SteeredClock:
    """Time moves only by `advance` and `jump`. It is also a `tidings.clock.Clock`, so engines and workers sleep by it.

    `settle`: awaited until everything has come to rest; `next_due`: when the next thing is due, in microseconds.
    """

    def __init__(self, start: datetime = START) -> None:
        self._start = self._now = to_micro(start)
        self._sleepers: list[tuple[float, int, Alarm]] = []
        self._numbers = count()
        self._pruned_at = 1000
        self.waking = 0  # sleepers whose alarm has rung and who have not run since
        self.advancing = 0  # calls of `advance` that have not returned
        self.settle: Callable[[], Awaitable[None]] = nothing
        self.next_due: Callable[[], Awaitable[int | None]] = never

    @property
    def time(self) -> datetime:
        """The moment it shows."""
        return from_micro(self._now)

    # ---- as a clock ----

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start) / MICRO

    async def wait(self, event: asyncio.Event, within: float | None) -> bool:
        if event.is_set() or (within is not None and within <= 0):
            return event.is_set()
        if within is None:
            await event.wait()
            return True
        alarm: Alarm = asyncio.get_running_loop().create_future()
        self._set(alarm, self.monotonic() + within)
        rung = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait((alarm, rung), return_when=asyncio.FIRST_COMPLETED)
        finally:
            rung.cancel()
            if not alarm.cancel():
                self.waking -= 1
        return event.is_set()

    def _set(self, alarm: Alarm, at: float) -> None:
        heappush(self._sleepers, (at, next(self._numbers), alarm))
        if len(self._sleepers) > self._pruned_at:  # most waits end by their event, and leave their alarm behind
            self._sleepers = [sleeper for sleeper in self._sleepers if not sleeper[2].done()]
            heapify(self._sleepers)
            self._pruned_at = 1000 + 2 * len(self._sleepers)

    # ---- as a test steers it ----

    async def advance(self, time: timedelta, /) -> None:
        """Move time, step by step, and let everything happen that comes due: timers, timeouts, retries, `Later`."""
        target = self._now + time // timedelta(microseconds=1)
        self.advancing += 1
        try:
            await self.settle()
            while (due := await self.next_due()) is not None and due <= target:
                self._to(max(due, self._now + 1))
                await self.settle()
            self._to(target)
            await self.settle()
        finally:
            self.advancing -= 1

    def jump(self, time: timedelta, /) -> None:
        """Move time in one go, without waiting for anything: for handlers that hang while it passes."""
        self._to(self._now + time // timedelta(microseconds=1))

    def _to(self, moment: int) -> None:
        """Whoever sleeps until then wakes up, in the order of their alarms."""
        self._now = max(self._now, moment)
        until = self.monotonic() + SLACK
        while self._sleepers and self._sleepers[0][0] <= until:
            _, _, alarm = heappop(self._sleepers)
            if not alarm.done():
                self.waking += 1
                alarm.set_result(None)


__all__ = ["START", "SteeredClock"]
