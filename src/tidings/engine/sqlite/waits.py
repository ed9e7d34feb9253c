"""Waiting for one's own write, and for any write."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import msgspec

from tidings.engine.receipts import Offset, read_receipt
from tidings.engine.sqlite.core import Core
from tidings.engine.sqlite.sql import SQL, row_of
from tidings.engine.unit import Memo, Partition
from tidings.errors import Closed

T = TypeVar("T")
RECEIPT = msgspec.json.Decoder(list[tuple[str, Offset, list[Offset]]])


class Waits:
    """A part of the store."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._changed = core.wake.ticket()

    async def reached(self, group: str, receipt: str, within: float) -> bool:
        tp = self._core.reads.tp
        told = read_receipt(receipt, RECEIPT) if receipt else []
        places = [(group, tp(Partition(topic, n)), offset) for topic, n, offsets in told for offset in offsets]
        return await self._until(lambda: self._handled(places), within)

    def _handled(self, places: Sequence[tuple[str, int, int]]) -> bool:
        """A partition that the group does not read does not count."""
        with self._core.reads.snapshot() as c:
            rows = [row_of(c, SQL["reached"], place) for place in places]
        return all(row is None or row[0] for row in rows)

    async def memo(self, scope: str, id: bytes, within: float = 0.0) -> Memo | None:
        return await self._until(lambda: self._memo(scope, id), within)

    def _memo(self, scope: str, name: bytes) -> Memo | None:
        rows = self._core.reads.all(SQL["memo"], (scope, name))
        return Memo(*rows[0]) if rows else None

    async def _until(self, look: Callable[[], T], within: float) -> T:
        """What the look finds as soon as it is something, or nothing when the time is over."""
        core = self._core
        end = core.clock.monotonic() + within
        while True:
            ticket = core.wake.ticket()
            found = look()
            left = end - core.clock.monotonic()
            if found or left <= 0:
                return found
            await core.wake.wait(ticket, min(left, core.poll_floor))

    def changed(self, within: float | None = None) -> Coroutine[Any, Any, None]:
        """The call takes the wake, not the await: `news = store.changed()`, then a look, then `await news`."""
        ticket, wake = self._changed, self._core.wake

        async def wait() -> None:
            await wake.wait(ticket, within)
            if self._core.writer.closed:
                raise Closed("the engine is closed")
            self._changed = wake.ticket()

        return wait()
