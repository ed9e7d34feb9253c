"""The port on PostgreSQL, as a spike: kept passing until that gear is built, so that the port does not drift from it.

    schema.sql queries.sql       tables, the commit as one function, and every other statement
    connections.py               a few connections, LISTEN and NOTIFY
    catalog.py                   what is declared
    packing.py commits.py        a unit on its way in, and the answers
    log.py reader.py             the settled horizon, seats, a member's stream of records
    store.py                     the rest

What it proves is the shape: that the commit is one statement (one round trip), that readers follow the settled horizon
(nothing is lost or turned round by transactions that commit late), that claims, held events, receipts and resets fit.
Left out: retention by dropping partitions of the table, migrations, roles, sizes of pools.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import psycopg

from tests.drift.catalog import Catalog
from tests.drift.commits import Commits
from tests.drift.connections import HERE, Connections
from tests.drift.log import PgLog
from tests.drift.reader import FLOOR
from tests.drift.store import PgStore
from tidings.clock import Clock
from tidings.engine.ages import Ages
from tidings.engine.port import Capabilities
from tidings.engine.wake import Wake


class Postgres:
    outbox = None

    def __init__(self, url: str, schema: str, clock: Clock) -> None:
        wake = Wake(clock)
        self._connections = Connections(url, schema, wake)
        self._catalog = Catalog(self._connections)
        self._commits = Commits(self._connections, self._catalog, clock)
        self.log = PgLog(self._connections, self._catalog, self._commits, clock, wake)
        self.store = PgStore(self._connections, self._catalog, self._commits, clock, wake, Ages())
        self.clock = clock
        self.can = Capabilities(
            one_commit=True,
            durable=True,
            shared=True,
            sql=True,
            sweeps=False,
            hold_for_groups=False,
            exact_lag=True,
            poll_floor=FLOOR,
        )

    async def open(self) -> None:
        await self._connections.open()
        await self._catalog.refresh()

    async def facts(self, *, thorough: bool = False) -> Mapping[str, Any]:
        async with self._connections.one() as c:
            found: dict[str, Any] = {"engine": "postgres", "version": c.info.server_version}
        return found | ({"damage": ()} if thorough else {})

    async def close(self, within: float = 10.0) -> None:
        if self._connections.closed:
            return
        await self._commits.settle()
        groups, members = [group for group, _ in self.log.seats], [member for _, member in self.log.seats]
        await self._connections.all("leave", groups=groups, members=members)
        async with self._connections.one() as c:
            await c.execute(f'notify "{self._connections.channel}"'.encode())
        await self._connections.close()


@asynccontextmanager
async def a_schema(url: str, name: str) -> AsyncIterator[None]:
    """Empty, for one test; gone after it."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as c:
        await c.execute("set synchronous_commit = off")  # of the making and the taking away only
        await c.execute(f'create schema "{name}"'.encode())
        await c.execute(f'set search_path = "{name}"'.encode())
        await c.execute((HERE / "schema.sql").read_bytes())
        try:
            yield
        finally:
            await c.execute(f'drop schema "{name}" cascade'.encode())
