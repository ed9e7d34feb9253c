"""The store: one object for callers, each of its parts in a file of its own."""

from __future__ import annotations

from collections.abc import Sequence

from tidings.engine.postgres.commits import Commits
from tidings.engine.postgres.core import Core
from tidings.engine.postgres.groups import Groups
from tidings.engine.postgres.operators import Operators
from tidings.engine.postgres.people import People
from tidings.engine.postgres.purge import Purge
from tidings.engine.postgres.states import States
from tidings.engine.postgres.waits import Waits
from tidings.engine.unit import Answer, Unit


class PostgresStore(Groups, Operators, People, Purge, States, Waits):
    def __init__(self, core: Core, commits: Commits) -> None:
        for part in (Groups, Operators, People, Purge, States, Waits):
            part.__init__(self, core)
        self._commits = commits

    async def now(self) -> int:
        return self._core.clock.now()

    async def commit(self, units: Sequence[Unit]) -> Sequence[Answer]:
        return await self._commits.commit(units)
