"""Waiting for one's own write, and for any write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import msgspec

from tidings.engine.postgres.core import Core
from tidings.engine.postgres.pool import closed
from tidings.engine.receipts import Offset, read_receipt
from tidings.engine.unit import Memo, Partition

T = TypeVar("T")
RECEIPT = msgspec.json.Decoder(list[tuple[str, Offset, list[Offset]]])


class Waits:
    """A part of the store."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._changed = core.wake.ticket()

    async def reached(self, group: str, receipt: str, within: float) -> bool:
        """A partition that the group does not read does not count."""
        told = read_receipt(receipt, RECEIPT) if receipt else []
        places = [(await self._core.tp(Partition(topic, n)), at) for topic, n, offsets in told for at in offsets]
        tps, offs = [tp for tp, _ in places], [at for _, at in places]

        async def look() -> bool:
            return not await self._core.all("reached", group=group, tps=tps, offs=offs)

        return await self._until(look, within)

    async def memo(self, scope: str, id: bytes, within: float = 0.0) -> Memo | None:
        async def look() -> Memo | None:
            rows = await self._core.all("memo", scope=scope, id=id)
            return Memo(*rows[0]) if rows else None

        return await self._until(look, within)

    async def _until(self, look: Callable[[], Awaitable[T]], within: float) -> T:
        """What the look finds as soon as it is something, or nothing when the time is over."""
        core = self._core
        end = core.clock.monotonic() + within
        while True:
            ticket = core.wake.ticket()
            found = await look()
            left = end - core.clock.monotonic()
            if found or left <= 0:
                return found
            await core.wake.wait(ticket, min(left, core.poll_floor))

    def changed(self, within: float | None = None) -> Coroutine[Any, Any, None]:
        """The call takes the wake, not the await: `news = store.changed()`, then a look, then `await news`."""
        ticket, wake = self._changed, self._core.wake

        async def wait() -> None:
            await wake.wait(ticket, within)
            if self._core.closed:
                raise closed()
            self._changed = wake.ticket()

        return wait()
