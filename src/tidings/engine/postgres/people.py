"""What was done, for people: counters, notes, the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tidings.engine.postgres.core import Core
from tidings.engine.unit import Handling, Note, Partition


class People:
    """A part of the store."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def tallies(self, group: str) -> Mapping[str, int]:
        return dict(await self._core.all("tallies", group=group))

    async def notes(self, group: str | None, limit: int) -> Sequence[Note]:
        rows = await self._core.all("notes", group=group, limit=limit)
        return [Note(await self._core.part(tp), *rest) for tp, *rest in rows]

    async def handled(self, partition: Partition, offset: int) -> Sequence[Handling]:
        rows = await self._core.all("handled", tp=await self._core.tp(partition), offset=offset)
        return [Handling(group, partition, *rest) for group, *rest in rows]

    async def ledger(self, group: str, after: int, limit: int) -> Sequence[tuple[int, Handling]]:
        """Up to the horizon of the lines' numbers: what commits later never appears below what was handed out."""
        settled = await self._core.lines.reach()
        rows = await self._core.all("ledger", group=group, after=after, limit=limit, settled=settled)
        return [(number, Handling(group, await self._core.part(tp), *rest)) for number, tp, *rest in rows]
