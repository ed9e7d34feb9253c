"""Wait for a named point in the life of an event (`tidings.signals.POINTS`), instead of for some time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from tidings import signals
from tidings.errors import Stale, TidingsError, did_you_mean

GUARD = 10.0  # real seconds until a point that is never reached fails the test


class Heard:
    """How often the point was reached since. Points may be reached on any thread."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0
        self._loop = asyncio.get_running_loop()
        self._again = asyncio.Event()

    def note(self) -> None:
        self.count += 1
        self._loop.call_soon_threadsafe(self._again.set)

    async def wait(self, times: int = 1) -> None:
        """Until it was reached so often. Raises Stale after 10 seconds of real time."""
        try:
            async with asyncio.timeout(GUARD):
                while self.count < times:
                    self._again.clear()
                    await self._again.wait()
        except TimeoutError:
            raise Stale(f"{self.name} was reached {self.count} times in {GUARD:g} s, not {times}") from None


@asynccontextmanager
async def heard(name: str) -> AsyncGenerator[Heard, None]:
    """Listens to a point, from here on; `await point.wait()` inside.

    Raises TidingsError for an unknown name.
    """
    if name not in signals.POINTS:
        raise TidingsError(f"there is no point {name!r}", hint=did_you_mean(name, signals.POINTS))
    found = Heard(name)
    with signals.listening(name, found.note):
        yield found
