"""Waking across processes: one connection that listens, and one NOTIFY at a time that tells the others.

told(word)     wakes everybody here, and asks for a NOTIFY: the first goes at once, those that come within `SPACING`
               of it become one
the listener   calls the wake for what others told; it also holds the advisory locks of this process's members: when
               the process dies, however, the server drops them at once

A NOTIFY inside each commit would make all commits of the server queue for one lock, so it is sent apart from them. A
wake may be lost (the process dies in between, a foreign writer tells nobody): readers look every `FLOOR` seconds.
When the listener's connection breaks it is made anew, its locks are taken again, and everybody looks.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Awaitable, Callable

import psycopg

from tidings.clock import SystemClock
from tidings.engine.postgres.pool import Connection, Pool, run
from tidings.engine.wake import Wake
from tidings.errors import EngineError

FLOOR = 1.0  # seconds until a commit is seen if a wake was lost
SPACING = 0.005  # real seconds between two NOTIFYs: each takes a lock of the whole server
PAUSE = 0.2  # real seconds between two attempts to connect
COMMIT, ROSTER = "commit", "roster"


class Waking:
    def __init__(
        self, pool: Pool, make: Callable[[], Awaitable[Connection]], channel: str, wake: Wake, roster: Wake
    ) -> None:
        self._pool, self._make, self._channel = pool, make, channel
        self._wakes = {COMMIT: wake, ROSTER: roster}
        self._me = secrets.token_hex(6)
        self._words: set[str] = set()
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._listener: Connection | None = None
        self._turn = asyncio.Lock()  # who uses the listener's connection
        self._locks: set[int] = set()

    async def open(self) -> None:
        await self._connect()
        self._tasks = [asyncio.create_task(self._tell()), asyncio.create_task(self._listen())]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._listener is not None:
            await self._listener.close()

    # ---- telling ----

    def told(self, word: str = COMMIT) -> None:
        self._wakes[word].call()
        self._words.add(word)
        self._news.set()

    async def _tell(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            await self.flush()
            await SystemClock().wait(asyncio.Event(), SPACING)

    async def flush(self) -> None:
        """Tell now. What the server did not take the others find by themselves."""
        words, self._words = self._words, set()
        for word in words:
            with contextlib.suppress(EngineError):
                await self._pool.all("tell", channel=self._channel, word=f"{word} {self._me}")

    # ---- listening ----

    async def _connect(self) -> None:
        listener = await self._make()
        listener.add_notify_handler(lambda notice: self._heard(notice.payload))  # what comes while a lock is taken
        try:
            await listener.execute(f'listen "{self._channel}"'.encode())
            for lock in self._locks:
                await run(listener, "lock", lock=lock)
        except psycopg.Error:
            await listener.close()
            raise
        self._listener = listener

    async def _listen(self) -> None:
        while True:
            try:
                await self._hear()
            except (psycopg.Error, EngineError, OSError):
                await self._again()

    async def _hear(self) -> None:
        """Wait for the socket without the connection's own lock, so that locks can be taken meanwhile."""
        while True:
            assert self._listener is not None
            await _readable(self._listener.fileno())
            async with self._turn:
                server = self._listener.pgconn
                server.consume_input()
                while notice := server.notifies():
                    self._heard(notice.extra.decode())

    def _heard(self, payload: str) -> None:
        word, _, who = payload.partition(" ")
        if who != self._me and word in self._wakes:
            self._wakes[word].call()

    async def _again(self) -> None:
        async with self._turn:
            if self._listener is not None:
                await self._listener.close()
            while True:
                try:
                    await self._connect()
                    break
                except (psycopg.Error, EngineError, OSError):
                    await SystemClock().wait(asyncio.Event(), PAUSE)
        for wake in self._wakes.values():
            wake.call()

    # ---- locks of members ----

    async def lock(self, lock: int) -> None:
        """Held until `unlock`, or until this process is no more."""
        self._locks.add(lock)
        await self._use("lock", lock)

    async def unlock(self, lock: int) -> None:
        self._locks.discard(lock)
        await self._use("unlock", lock)

    async def _use(self, statement: str, lock: int) -> None:
        """A connection that is broken is made anew by the listener, which takes all the locks then."""
        async with self._turn:
            with contextlib.suppress(psycopg.Error):
                assert self._listener is not None
                await run(self._listener, statement, lock=lock)


async def _readable(file: int) -> None:
    """On a copy of the file's number: the driver watches the number itself while a lock is taken, and then no more."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    ear = os.dup(file)
    loop.add_reader(ear, _set, ready)
    try:
        await ready
    finally:
        loop.remove_reader(ear)
        os.close(ear)


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
