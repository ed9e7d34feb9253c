"""Connections of one engine: a few that are used again, one that listens, one that tells others; and where SQL lies."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from tidings.engine.wake import Wake
from tidings.errors import Closed, Unavailable

Connection = psycopg.AsyncConnection[Any]
MOST = 6
CHANNEL = "tidings"
BLOCK = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
HERE = Path(__file__).parent


def _blocks(text: str) -> dict[str, str]:
    names = BLOCK.split(text)[1:]
    return {name: body.strip() for name, body in zip(names[::2], names[1::2], strict=True)}


SQL: Mapping[str, str] = _blocks((HERE / "queries.sql").read_text(encoding="utf-8"))


def closed() -> Closed:
    return Closed("the engine is closed", hint="open another one")


class Connections:
    def __init__(self, url: str, schema: str, wake: Wake) -> None:
        self.url, self.options, self.channel, self._wake = url, f"-c search_path={schema}", f"{CHANNEL}_{schema}", wake
        self._free: list[Connection] = []
        self._gate = asyncio.Semaphore(MOST)
        self._news = asyncio.Event()
        self._own = 0  # the backend that tells for us: its news is not news to us
        self._tasks: list[asyncio.Task[None]] = []
        self.closed = False

    async def open(self) -> None:
        teller, listener = await self._connect(), await self._connect()
        self._own = teller.info.backend_pid
        await listener.execute(f'listen "{self.channel}"'.encode())
        self._tasks = [asyncio.create_task(self._tell(teller)), asyncio.create_task(self._listen(listener))]

    async def _connect(self) -> Connection:
        try:
            return await psycopg.AsyncConnection.connect(self.url, autocommit=True, options=self.options)
        except psycopg.OperationalError as error:
            raise Unavailable("PostgreSQL does not answer", hint="is it running?") from error

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Connection]:
        """A connection; one that was left in the middle of something is thrown away."""
        if self.closed:
            raise closed()
        async with self._gate:
            connection = self._free.pop() if self._free else await self._connect()
            try:
                yield connection
            finally:
                if connection.info.transaction_status is TransactionStatus.IDLE and not self.closed:
                    self._free.append(connection)
                else:
                    await connection.close()

    async def all(self, statement: str, /, **values: Any) -> list[Any]:
        """The rows of a named statement."""
        async with self.one() as connection:
            return await run(connection, statement, **values)

    # ---- waking ----

    def told(self) -> None:
        """Something was committed here: wake our own, and tell the other processes."""
        self._wake.call()
        self._news.set()

    async def _tell(self, connection: Connection) -> None:
        async with connection:
            while True:
                await self._news.wait()
                self._news.clear()
                await connection.execute(f'notify "{self.channel}"'.encode())

    async def _listen(self, connection: Connection) -> None:
        async with connection:
            async for notice in connection.notifies():
                if notice.pid != self._own:
                    self._wake.call()

    async def close(self) -> None:
        """After everything in flight was answered."""
        self.closed = True
        for _ in range(MOST):
            await self._gate.acquire()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in self._free:
            await connection.close()
        for _ in range(MOST):
            self._gate.release()
        self._wake.call()


async def run(connection: Connection, statement: str, /, **values: Any) -> list[Any]:
    cursor = await connection.execute(SQL[statement].encode(), values, binary=True)
    return await cursor.fetchall() if cursor.description else []
