"""Connections: a few that are used again, for the engine's own statements or for users' queries.

One that was left in the middle of something is thrown away; one that the server has closed meanwhile is noticed before
anything is sent over it, so that a restart of the server costs no commit its answer.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from tidings.engine.postgres.packing import register
from tidings.engine.postgres.sql import SQL
from tidings.engine.postgres.translate import translated
from tidings.errors import Closed

T = TypeVar("T")
Connection = psycopg.AsyncConnection[Any]
CONNECT = {"connect_timeout": 5, "fallback_application_name": "tidings", "tcp_user_timeout": 15000}


def closed() -> Closed:
    return Closed("the engine is closed", hint="open another one with `open_engine`")


async def connect(url: str, *, readonly: bool = False, within: float | None = None) -> Connection:
    """One connection. Unavailable where the server does not let us in."""
    try:
        connection = await psycopg.AsyncConnection.connect(url, autocommit=True, **CONNECT)  # type: ignore[arg-type]
        register(connection)
        connection.prepare_threshold = 2
        if readonly:
            await connection.execute("set default_transaction_read_only = on")
        if within is not None:
            await connection.execute("select set_config('statement_timeout', %s, false)", [str(int(within * 1000))])
    except psycopg.Error as error:
        raise translated(error) from error
    return connection


class Pool:
    def __init__(self, make: Callable[[], Any], most: int) -> None:
        self._make, self._most = make, most
        self._free: list[Connection] = []
        self._gate = asyncio.Semaphore(most)
        self.closed = False

    @asynccontextmanager
    async def raw(self) -> AsyncIterator[Connection]:
        """With the driver's own errors."""
        if self.closed:
            raise closed()
        async with self._gate:
            if self.closed:
                raise closed()
            connection, whole = await self._take(), False
            try:
                yield connection
                whole = True
            except Exception:
                whole = True  # the server's word; what a cancelled statement leaves behind nobody knows
                raise
            finally:
                if whole and connection.info.transaction_status is TransactionStatus.IDLE and not self.closed:
                    self._free.append(connection)
                else:
                    await connection.close()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Connection]:
        """With our errors. Nothing is known of what was on its way where they are raised."""
        try:
            async with self.raw() as connection:
                yield connection
        except psycopg.Error as error:
            raise translated(error) from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with self.one() as connection, connection.transaction():
            yield connection

    async def all(self, statement: str, /, **values: Any) -> list[Any]:
        """The rows of a named statement, read alone."""
        async with self.one() as connection:
            return await run(connection, statement, **values)

    async def _take(self) -> Connection:
        while self._free:
            connection = self._free.pop()
            if not _told_something(connection):
                return connection
            await connection.close()
        made: Connection = await self._make()
        return made

    async def close(self, within: float) -> None:
        """What is in use may end, that long."""
        self.closed = True
        try:
            async with asyncio.timeout(within):
                for _ in range(self._most):
                    await self._gate.acquire()
        except TimeoutError:
            pass  # whoever still has one closes it in the end
        while self._free:
            await self._free.pop().close()


async def finished(work: Coroutine[Any, Any, T]) -> T:
    """It goes on to its end even where its caller is cancelled: a statement that is cancelled costs its connection."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        raise


def _told_something(connection: Connection) -> bool:
    """An idle connection on which something arrived was ended by the server."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


async def run(connection: Connection, statement: str, /, **values: Any) -> list[Any]:
    cursor = await connection.execute(SQL[statement], values, binary=True)
    return await cursor.fetchall() if cursor.description else []


async def affected(connection: Connection, statement: str, /, **values: Any) -> int:
    """How many rows it wrote."""
    return (await connection.execute(SQL[statement], values, binary=True)).rowcount
