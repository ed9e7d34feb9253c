"""What is past its time: marks of Once with their memos, notes, lines of the ledger, snapshots."""

from __future__ import annotations

from tidings.clock import MICRO
from tidings.engine.postgres.core import Core
from tidings.engine.postgres.pool import affected


class Purge:
    """A part of the store."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def purge(self, limit: int) -> int:
        ages, left = self._core.ages, limit
        for name, age in (
            ("once", ages.once),
            ("notes", ages.notes),
            ("handled", ages.handled),
            ("snapshots", ages.snapshots),
        ):
            before = self._core.clock.now() - int(age * MICRO)
            async with self._core.pool.one() as c:
                left -= await affected(c, f"purge_{name}", before=before, limit=left)
        return limit - left
