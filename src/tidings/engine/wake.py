"""Waking whoever waits for a commit: take the wake, look, then wait."""

from __future__ import annotations

import asyncio

from tidings.clock import Clock


class Wake:
    """Everybody who waits is woken by every call and looks again.

    A waiter that takes `ticket()` before it looks cannot sleep through a commit between its look and its wait.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._event = asyncio.Event()

    def call(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    def ticket(self) -> asyncio.Event:
        return self._event

    async def wait(self, ticket: asyncio.Event, within: float | None = None) -> bool:
        """True if woken, False after `within` seconds of the clock."""
        return await self._clock.wait(ticket, within)
