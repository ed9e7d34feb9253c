"""Opening and closing: how the parts of the engine are put together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tidings.clock import Clock
from tidings.engine.ages import Ages
from tidings.engine.port import Capabilities
from tidings.engine.sqlite.anchor import AnchoredClock
from tidings.engine.sqlite.connect import Synchronous, connect
from tidings.engine.sqlite.core import Core
from tidings.engine.sqlite.facts import facts
from tidings.engine.sqlite.log import SqliteLog
from tidings.engine.sqlite.members import Members
from tidings.engine.sqlite.prepare import check, prepare
from tidings.engine.sqlite.reads import Reads
from tidings.engine.sqlite.sql import SQL
from tidings.engine.sqlite.store import SqliteStore
from tidings.engine.sqlite.users import Users
from tidings.engine.sqlite.waking import Watch
from tidings.engine.sqlite.writer import Writer
from tidings.engine.wake import Wake


class Sqlite:
    """`await Sqlite.open(path)`; every call on the loop that opened it."""

    outbox = None

    def __init__(self, core: Core, watch: Watch, synchronous: Synchronous) -> None:
        self._core, self._watch = core, watch
        self._closing: asyncio.Task[None] | None = None
        self.log = SqliteLog(core)
        self.store = SqliteStore(core)
        self.clock = core.clock
        self.can = Capabilities(
            one_commit=True,
            durable=synchronous == "full",
            shared=True,
            sql=True,
            sweeps=True,
            hold_for_groups=True,
            exact_lag=True,
            poll_floor=core.poll_floor,
        )

    @classmethod
    async def open(
        cls,
        path: str,
        *,
        clock: Clock | None = None,
        synchronous: Synchronous = "full",
        lease: float = 5.0,
        beat: float = 1.0,
        ages: Ages | None = None,
        query_within: float = 10.0,
        create: bool = True,
    ) -> Sqlite:
        """Open the file, or make it. Refused where it is not ours to open, Unavailable where it cannot be opened now.

        `create=False`: to look at it; it must be there and of this layout.
        `synchronous`: "full" survives power loss; "normal" may lose the last commits then, never a part of one;
        "off" may lose the file. `lease`: seconds after which a frozen member's partitions are given to others;
        `beat`: how often it says that it lives. `query_within`: seconds that a user's SELECT may take.
        """
        check(synchronous, lease, beat)
        path = str(Path.cwd() / path)  # whoever changes the working directory later stays with this file
        await asyncio.to_thread(prepare, path, synchronous, anchored=clock is None, create=create)
        clock = clock or AnchoredClock()
        opened = partial(connect, path, synchronous)
        reads = Reads(path, opened)
        reads.refresh()
        if isinstance(clock, AnchoredClock):
            clock.anchor = reads.all(SQL["meta"], ("anchor",))[0][0]
        wake, roster, members = Wake(clock), Wake(clock), Members(path)
        watch = Watch(path, str(members.folder), wake.call, roster.call)
        core = Core(
            path=path,
            clock=clock,
            reads=reads,
            writer=Writer(path, opened, clock, watch.signal, wake.call),
            users=Users(path, partial(connect, path, readonly=True), query_within),
            members=members,
            wake=wake,
            roster=roster,
            ages=ages or Ages(),
            lease=lease,
            beat=beat,
            poll_floor=watch.floor,
        )
        return cls(core, watch, synchronous)

    async def facts(self, *, thorough: bool = False) -> Mapping[str, Any]:
        return await facts(self._core, thorough=thorough)

    async def close(self, within: float = 10.0) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(within))
        await asyncio.shield(self._closing)

    async def _close(self, within: float) -> None:
        """The writer's handle last, on its thread: who closes last copies the WAL into the file."""
        core = self._core
        core.reads.close()
        await asyncio.to_thread(core.users.close)
        await core.writer.close(within)
        core.wake.call()
        core.roster.call()
        core.members.close()
        self._watch.close()
