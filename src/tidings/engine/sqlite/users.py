"""Users' SELECTs, and long looks of our own: on read-only connections, on threads, never longer than their deadline.

A query that is cancelled or overdue is interrupted. Connections are kept and used again, at most as many as threads.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import apsw

from tidings.engine.sqlite.guard import Guard
from tidings.engine.sqlite.translate import is_files, translated
from tidings.errors import Closed, EngineError, Refused, Unavailable

T = TypeVar("T")
THREADS = 4
LONG = 3600.0  # seconds that a look of our own may take
TICKS = 5000  # virtual machine steps between two looks at the deadline


class Users:
    def __init__(self, path: str, connect: Callable[[], apsw.Connection], within: float) -> None:
        self._path, self._connect, self._within = path, connect, within
        self._queries = ThreadPoolExecutor(THREADS, "tidings-query")
        self._looks = ThreadPoolExecutor(2, "tidings-look")
        self._free: list[apsw.Connection] = []
        self._guards: dict[apsw.Connection, Guard] = {}
        self._closed = False

    async def query(self, sql: str, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        def look(c: apsw.Connection) -> Sequence[Sequence[Any]]:
            try:
                return self._guards[c].run(sql, parameters)
            except (LookupError, TypeError, ValueError, OverflowError) as error:
                words = f"these parameters do not fit the statement: {error!r}"
                raise Refused(words, hint="name each one, as in :name, and give it a plain value") from error

        return await self._run(self._queries, look, self._within)

    async def run(self, look: Callable[[apsw.Connection], T], within: float = LONG) -> T:
        """A look of tidings' own that may take long. Users' queries never keep it waiting."""
        return await self._run(self._looks, look, within)

    async def _run(self, threads: ThreadPoolExecutor, look: Callable[[apsw.Connection], T], within: float) -> T:
        if self._closed:
            raise Closed("the engine is closed", hint="open another one with `open_engine`")
        stop = threading.Event()
        future = asyncio.get_running_loop().run_in_executor(threads, self._look, look, stop, within)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            stop.set()
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
            raise

    def _look(self, look: Callable[[apsw.Connection], T], stop: threading.Event, within: float) -> T:
        end = time.monotonic() + within
        c: apsw.Connection | None = None
        try:
            c = self._free.pop() if self._free else self._open()
            c.set_progress_handler(lambda: self._closed or stop.is_set() or time.monotonic() > end, TICKS)
            return look(c)
        except apsw.InterruptError as error:
            raise self._ended(within) from error
        except apsw.Error as error:
            if c is not None and is_files(error):
                self._throw_away(c)
                c = None
            raise translated(error, self._path) from error
        finally:
            if c is not None:
                c.set_progress_handler(None)
                self._free.append(c)

    def _ended(self, within: float) -> EngineError:
        if self._closed:
            return Closed("the engine was closed while the query ran", hint="open another one with `open_engine`")
        return Unavailable(
            f"the query took longer than {within:g} s and was ended",
            hint="ask for less, add an index to your own tables, or open the engine with a larger `query_within`",
        )

    def _open(self) -> apsw.Connection:
        c = self._connect()
        self._guards[c] = Guard(c, reads=True)
        return c

    def _throw_away(self, c: apsw.Connection) -> None:
        del self._guards[c]
        c.close(True)

    def close(self) -> None:
        """Queries that run are ended."""
        self._closed = True
        for threads in (self._queries, self._looks):
            threads.shutdown(wait=True, cancel_futures=True)
        while self._free:
            self._throw_away(self._free.pop())
