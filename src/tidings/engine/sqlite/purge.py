"""What is past its time: marks of Once with their memos, notes, lines of the ledger, snapshots.

Rows are numbered as they come, so the oldest are the first: each step looks at a few of those and needs no index on
time. Snapshots are written again and again, so the step goes round through all of them.
"""

from __future__ import annotations

from tidings.clock import MICRO
from tidings.engine.sqlite.core import Core
from tidings.engine.sqlite.sql import SQL
from tidings.engine.sqlite.turn import Turn


class Purge:
    """A part of the store."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._snapshot = 0  # looked at so far in this round

    async def purge(self, limit: int) -> int:
        return await self._core.do(lambda turn: self._step(turn, limit))

    def _step(self, turn: Turn, limit: int) -> int:
        ages, left = self._core.ages, limit
        for name, age in (("once", ages.once), ("note", ages.notes), ("ledger", ages.handled)):
            turn.c.execute(SQL[f"purge_{name}"], (turn.now - int(age * MICRO), left))
            left -= turn.c.changes()
        return limit - left + self._snapshots(turn, turn.now - int(ages.snapshots * MICRO), left)

    def _snapshots(self, turn: Turn, before: int, limit: int) -> int:
        ids = [row[0] for row in turn.c.execute(SQL["snapshots_after"], (self._snapshot, limit))]
        turn.c.execute(SQL["purge_snapshot"], (before, self._snapshot, ids[-1] if ids else 0))
        self._snapshot = ids[-1] if ids and len(ids) == limit else 0
        return turn.c.changes()
