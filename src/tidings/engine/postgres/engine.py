"""Opening and closing: how the parts of the engine are put together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal, TypeAlias

from tidings.clock import Clock, SystemClock
from tidings.engine.ages import Ages
from tidings.engine.port import Capabilities
from tidings.engine.postgres.clock import DatabaseClock
from tidings.engine.postgres.commits import Commits, answers_of, impossible
from tidings.engine.postgres.core import Core
from tidings.engine.postgres.facts import facts
from tidings.engine.postgres.horizon import Horizon
from tidings.engine.postgres.inside import Runner
from tidings.engine.postgres.log import PostgresLog
from tidings.engine.postgres.migrate import checked, migrate
from tidings.engine.postgres.pool import Connection, Pool, connect, run
from tidings.engine.postgres.store import PostgresStore
from tidings.engine.postgres.waking import ROSTER, Waking
from tidings.engine.wake import Wake
from tidings.errors import EngineError, SettingsError, did_you_mean

Synchronous: TypeAlias = Literal["full", "normal", "off"]
SYNCHRONOUS = ("full", "normal", "off")
QUERIES = 4  # connections for users' queries


class Postgres:
    """`await Postgres.open(url)`; every call on the loop that opened it."""

    outbox = None

    def __init__(self, core: Core, *, durable: bool) -> None:
        self._core = core
        self.clock = core.clock
        self._closing: asyncio.Task[None] | None = None
        self._runner = Runner(core, answers_of, impossible)
        self._commits = Commits(core, self._runner)
        self.log = PostgresLog(core, self._commits)
        self.store = PostgresStore(core, self._commits)
        self.can = Capabilities(
            one_commit=True,
            durable=durable,
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
        url: str,
        *,
        clock: Clock | None = None,
        synchronous: Synchronous = "full",
        lease: float = 5.0,
        beat: float = 1.0,
        ages: Ages | None = None,
        query_within: float = 10.0,
        connections: int = 8,
        create: bool = True,
    ) -> Postgres:
        """Open the schema that the URL's search_path begins with; it and tidings' tables are made where they are
        missing. Refused where it is not ours to open, Unavailable where the server cannot be reached.

        `create=False`: to look at it; it must be of this layout, and nothing of it is changed by opening.
        `synchronous`: "full" is as durable as the server is set to be; "normal" and "off" may lose the last commits
        when the server crashes, never a part of one. `lease`: seconds after which a frozen member's partitions are
        given to others; `beat`: how often it says that it lives. `query_within`: seconds that a user's SELECT may take.
        `connections`: at most so many for the engine's own statements, beside one that listens, one for transactional
        handlers and four for queries. Without a clock, or with the machine's, time is the server's.
        """
        _check(synchronous, lease, beat, connections)
        identity, durable, now = await _prepare(url, create=create)
        if clock is None or type(clock) is SystemClock:
            clock = DatabaseClock()
            clock.set(now)
        pool = Pool(partial(_connect, url, synchronous), connections)
        wake, roster = Wake(clock), Wake(clock)
        core = Core(
            url=url,
            clock=clock,
            pool=pool,
            users=Pool(partial(connect, url, readonly=True, within=query_within), QUERIES),
            waking=Waking(pool, partial(connect, url), f"tidings_{identity[:16]}", wake, roster),
            horizon=Horizon(pool),
            lines=Horizon(pool, lines=True),
            wake=wake,
            roster=roster,
            ages=ages or Ages(),
            lease=lease,
            beat=beat,
            identity=identity,
        )
        await core.waking.open()
        await core.refresh()
        return cls(core, durable=durable and synchronous == "full")

    async def facts(self, *, thorough: bool = False) -> Mapping[str, Any]:
        return await facts(self._core, thorough=thorough)

    async def close(self, within: float = 10.0) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(within))
        await asyncio.shield(self._closing)

    async def _close(self, within: float) -> None:
        core = self._core
        core.closed = True
        core.wake.call()
        core.roster.call()
        await self._commits.settle(within)
        try:
            if core.seats:
                groups, members = zip(*core.seats, strict=True)
                await core.pool.all("leave", groups=list(groups), members=list(members))
                core.waking.told(ROSTER)
            await core.waking.flush()
        except EngineError:
            pass  # the server is away: its locks went with the connections
        await core.waking.close()
        await core.pool.close(within)
        await core.users.close(within)
        self._runner.close()
        core.wake.call()
        core.roster.call()


def _check(synchronous: str, lease: float, beat: float, connections: int) -> None:
    if synchronous not in SYNCHRONOUS:
        raise SettingsError(f"synchronous: {synchronous!r} is not known", hint=did_you_mean(synchronous, SYNCHRONOUS))
    if not 0 < beat < lease:
        raise SettingsError(
            f"beat {beat} and lease {lease}: a beat must fit into the lease", hint="lease=5.0, beat=1.0"
        )
    if connections < 2:
        raise SettingsError(f"connections: {connections} are too few", hint="2 or more; 8 is the default")


async def _connect(url: str, synchronous: Synchronous) -> Connection:
    connection = await connect(url)
    if synchronous != "full":
        await connection.execute("set synchronous_commit = off")
    return connection


async def _prepare(url: str, *, create: bool) -> tuple[str, bool, int]:
    """Make the tables or bring them up to date. The schema's identity, whether the server is durable, its time."""
    async with Pool(partial(connect, url), 1).one() as c:
        try:
            if create:
                await migrate(c)
                await run(c, "grow")
            else:
                await checked(c, old=False)
            identity = (await run(c, "meta", name="identity"))[0][0]
            durable = not (await run(c, "asynchronous"))[0][0]
            return identity, durable, (await run(c, "clock"))[0][0]
        finally:
            await c.close()
