"""What was done, for people: counters, notes, the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tidings.engine.sqlite.core import Core
from tidings.engine.sqlite.sql import SQL
from tidings.engine.unit import Handling, Note, Partition


class People:
    """A part of the store."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def tallies(self, group: str) -> Mapping[str, int]:
        return dict(self._core.reads.all(SQL["tallies"], (group,)))

    async def notes(self, group: str | None, limit: int) -> Sequence[Note]:
        rows = self._core.reads.all(SQL["notes"], (group, limit))
        parts = self._core.reads.parts()
        return [Note(parts[tp], pos, outcome, text, grp, time) for tp, pos, outcome, text, grp, time in rows]

    async def handled(self, partition: Partition, offset: int) -> Sequence[Handling]:
        rows = self._core.reads.all(SQL["handled"], (self._core.reads.tp(partition), offset))
        return [Handling(grp, partition, first, end, epoch, who, time) for grp, first, end, epoch, who, time in rows]

    async def ledger(self, group: str, after: int, limit: int) -> Sequence[tuple[int, Handling]]:
        rows = self._core.reads.all(SQL["ledger"], (group, after, limit))
        parts = self._core.reads.parts()
        return [
            (number, Handling(group, parts[tp], first, end, epoch, who, time))
            for number, tp, first, end, epoch, who, time in rows
        ]
