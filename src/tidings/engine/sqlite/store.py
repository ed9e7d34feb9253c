"""The store: one object for callers, each of its parts in a file of its own."""

from __future__ import annotations

from collections.abc import Sequence

from tidings.engine.sqlite.core import Core
from tidings.engine.sqlite.groups import Groups
from tidings.engine.sqlite.operators import Operators
from tidings.engine.sqlite.people import People
from tidings.engine.sqlite.purge import Purge
from tidings.engine.sqlite.states import States
from tidings.engine.sqlite.waits import Waits
from tidings.engine.unit import Answer, Unit


class SqliteStore(Groups, Operators, People, Purge, States, Waits):
    def __init__(self, core: Core) -> None:
        for part in (Groups, Operators, People, Purge, States, Waits):
            part.__init__(self, core)
        self._put = core.writer.put

    async def now(self) -> int:
        return self._core.clock.now()

    async def commit(self, units: Sequence[Unit]) -> Sequence[Answer]:
        answers: Sequence[Answer] = await self._put(units)
        return answers
