"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count

from tidings.clock import MICRO, from_micro, to_micro

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


async def nothing() -> None:
    """What a clock waits for, before and after each move, when nobody says otherwise."""


async def never() -> int | None:
    return None


class SteeredClock:
    """Time moves only by `advance`: in jumps, from one thing that is due to the next.

    `settle`: awaited until everything has come to rest; `next_due`: when the next thing is due, in microseconds.
    """

    def __init__(self, start: datetime = START) -> None:
        self._now = to_micro(start)
        self._monotonic = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self.settle: Callable[[], Awaitable[None]] = nothing
        self.next_due: Callable[[], Awaitable[int | None]] = never

    def now(self) -> int:
        return self._now

    @property
    def time(self) -> datetime:
        return from_micro(self._now)

    def monotonic(self) -> float:
        return self._monotonic

    async def wait(self, event: asyncio.Event, within: float | None) -> bool:
        if event.is_set():
            return True
        if within is None:
            await event.wait()
            return True
        alarm: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heappush(self._sleepers, (self._monotonic + within, next(self._numbers), alarm))
        rung = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait((alarm, rung), return_when=asyncio.FIRST_COMPLETED)
        finally:
            rung.cancel()
            if not alarm.done():
                alarm.cancel()
        return event.is_set()

    async def advance(self, time: timedelta, /) -> None:
        """Move time, step by step, and let everything happen that comes due."""
        target = self._now + int(time.total_seconds() * MICRO)
        await self.settle()
        while True:
            due = await self.next_due()
            if due is None or due > target:
                break
            self._jump(max(due, self._now + 1))
            await self.settle()
        self._jump(target)
        await self.settle()

    def _jump(self, to: int) -> None:
        """Whoever sleeps until then wakes up, in the order of their alarms."""
        if to > self._now:
            self._monotonic += (to - self._now) / MICRO
            self._now = to
        while self._sleepers and self._sleepers[0][0] <= self._monotonic + 1e-9:
            _, _, alarm = heappop(self._sleepers)
            if not alarm.done():
                alarm.set_result(None)
