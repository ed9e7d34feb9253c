"""The one thread of this process that writes, and the group commit.

    callers (loop) ── put ──> jobs ── take all that wait ──> one transaction ──> settle (loop)

A job is a sequence of units, or a function of the Turn. The thread waits for a job, then for its turn among processes
(`fair.py`), then takes every job that is there by now: what arrives while it waits or fsyncs shares the next
transaction. States of a transaction:

    begin immediate -> numbers -> jobs -> rows kept back -> commit -> callers are told
      a unit's own write is impossible   roll back; once more, each unit under a savepoint; only that unit is Failed
      the file's error                   roll back; nothing was kept: Unavailable to all
      fsync failed                       nobody knows: Unknown to all units; the handle is thrown away and opened anew

Callers that wait for a lock held by a stopped process are told after `PATIENCE`; their jobs were never begun.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import apsw

from tidings import signals
from tidings.clock import Clock
from tidings.engine.sqlite.anchor import AnchoredClock
from tidings.engine.sqlite.catalog import Catalog, read_catalog
from tidings.engine.sqlite.fair import PATIENCE, Turnstile
from tidings.engine.sqlite.guard import Guard
from tidings.engine.sqlite.inside import Runner
from tidings.engine.sqlite.sql import SQL, rows_of
from tidings.engine.sqlite.translate import is_doubtful, is_files, translated
from tidings.engine.sqlite.turn import Turn
from tidings.engine.sqlite.units import Doomed, Spoiled, apply
from tidings.engine.unit import Answer, Unit, Unknown
from tidings.errors import Closed, Unavailable

Work: TypeAlias = "Sequence[Unit] | Callable[[Turn], Any]"
Job: TypeAlias = "tuple[Work, asyncio.Future[Any]]"
Outcome: TypeAlias = "tuple[asyncio.Future[Any], Any]"

JOBS = 2000  # of one transaction at most
PAGES = 1000  # of the WAL, from which on it is copied into the file
BEGIN, COMMIT, ROLLBACK, NUMBERS = SQL["begin"], SQL["commit"], SQL["rollback"], SQL["numbers"]


class Writer:
    def __init__(
        self,
        path: str,
        connect: Callable[[], apsw.Connection],
        clock: Clock,
        signal: Callable[[], None],
        wake: Callable[[], None],
    ) -> None:
        self._path, self._connect, self._clock = path, connect, clock
        self._signal, self._wake = signal, wake  # other processes (on the thread); this one (on the loop)
        self._loop = asyncio.get_running_loop()
        self._jobs: deque[Job] = deque()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._idle = False
        self._closing = False
        self._since: float | None = None  # in line behind other processes since then
        self._watching: asyncio.TimerHandle | None = None
        self._turnstile = Turnstile(path)
        self._runner = Runner(path)
        self._file = _identity(path)
        self._c: apsw.Connection | None = None
        self._catalog = Catalog(-1)
        self._pages = 0
        self._thread = threading.Thread(target=self._write, name="tidings-writer", daemon=True)
        self._thread.start()

    # ---- the loop's side ----

    @property
    def closed(self) -> bool:
        return self._closing

    def holder(self) -> int | None:
        """The process that is inside its commit now, if the system tells."""
        return self._turnstile.holder()

    def put(self, work: Work) -> asyncio.Future[Any]:
        if self._closing:
            raise Closed("the engine is closed", hint="open another one with `open_engine`")
        future = self._loop.create_future()
        self._jobs.append((work, future))
        if self._idle:
            self._idle = False
            self._bell.put(None)
        if self._watching is None:
            self._watching = self._loop.call_later(PATIENCE / 4, self._watch)
        return future

    def _watch(self) -> None:
        """Only while there are jobs: nobody shall wait for ever behind a process that was stopped."""
        self._watching = None
        since = self._since
        if since is not None and time.monotonic() - since > PATIENCE:
            error = self._turnstile.taken(PATIENCE)
            self._settle([(future, error) for _, future in self._take()])
        if self._jobs:
            self._watching = self._loop.call_later(PATIENCE / 4, self._watch)

    def _settle(self, outcomes: Sequence[Outcome]) -> None:
        for future, outcome in outcomes:
            try:
                if isinstance(outcome, BaseException):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome)
            except asyncio.InvalidStateError:  # cancelled: nobody waits any more
                pass
        self._wake()

    async def close(self, within: float) -> None:
        """What was put is answered; then the handle is closed."""
        self._closing = True
        self._bell.put(None)
        await asyncio.to_thread(self._thread.join, within)
        if self._watching is not None:
            self._watching.cancel()
        if self._thread.is_alive():
            error = Unavailable(f"{self._path}: the engine was closed before this could be written; nothing was sent")
            self._settle([(future, error) for _, future in self._take()])

    # ---- the thread ----

    def _write(self) -> None:
        while self._await_jobs():
            if outcomes := self._write_some():
                self._signal()
                self._tell(outcomes)
            self._checkpoint()
        self._runner.close()
        self._drop_handle()
        self._turnstile.close()

    def _tell(self, outcomes: list[Outcome]) -> None:
        try:
            self._loop.call_soon_threadsafe(self._settle, outcomes)
        except RuntimeError:  # the loop was closed without closing the engine: nobody is left to tell
            self._closing = True

    def _write_some(self) -> list[Outcome]:
        self._since = time.monotonic()
        try:
            self._turnstile.enter()
        except OSError as error:  # the system has no locks left
            words = f"{self._path}: the file's lock cannot be taken ({error}); nothing was written"
            return [(future, Unavailable(words)) for _, future in self._take()]
        try:
            self._since = None
            jobs = self._take()
            return self._transact(jobs) if jobs else []
        finally:
            self._turnstile.leave()

    def _await_jobs(self) -> bool:
        """False when there are none and there will be none."""
        while not self._jobs:
            if self._closing:
                return False
            self._idle = True
            if not self._jobs and not self._closing:
                self._bell.get()
            self._idle = False
        return True

    def _take(self) -> list[Job]:
        jobs: list[Job] = []
        try:
            while len(jobs) < JOBS:
                jobs.append(self._jobs.popleft())
        except IndexError:
            pass
        return jobs

    def _transact(self, jobs: Sequence[Job]) -> list[Outcome]:
        careful, doomed = False, dict[int, Any]()
        while True:
            try:
                return self._attempt(jobs, doomed, careful=careful)
            except Spoiled:
                careful = True
            except Doomed as end:
                doomed[id(end.work)] = end.outcome
            except Exception as error:  # noqa: BLE001 -- it goes to the callers
                return self._refuse(jobs, error)

    def _attempt(self, jobs: Sequence[Job], doomed: dict[int, Any], *, careful: bool) -> list[Outcome]:
        self._check_file()
        c = self._handle()
        try:
            c.execute(BEGIN)
            turn = self._turn(c)
            signals.reached("sqlite.begun")
            outcomes = [(future, self._run(turn, work, doomed, careful=careful)) for work, future in jobs]
            _flush(turn)
            signals.reached("sqlite.written")
            c.execute(COMMIT)
        except BaseException:
            if c.in_transaction:
                c.execute(ROLLBACK)
            raise
        signals.reached("sqlite.committed")
        return outcomes

    def _check_file(self) -> None:
        """A file that was removed takes writes as before, and they are gone with the last who has it open."""
        if _identity(self._path) != self._file:
            raise Unavailable(
                f"{self._path}: the file was removed or replaced while it was open; nothing was written",
                hint="stop every process that has it open, put the file in its place, and start them again",
            )

    def _turn(self, c: apsw.Connection) -> Turn:
        pos, stamp, declared, anchor = rows_of(c, NUMBERS)[0]
        if declared != self._catalog.declared:
            self._catalog = read_catalog(c)
        if isinstance(self._clock, AnchoredClock):
            self._clock.anchor = anchor
        return Turn(c, self._catalog, self._clock.now(), pos, stamp)

    def _run(self, turn: Turn, work: Work, doomed: dict[int, Any], *, careful: bool) -> Any:
        if callable(work):
            return doomed[id(work)] if id(work) in doomed else self._job(turn, work)
        answers: list[Answer] = []
        for unit in work:
            answer = doomed.get(id(unit)) if doomed else None
            answers.append(answer or apply(turn, unit, self._runner, careful=careful))
        return answers

    def _job(self, turn: Turn, work: Callable[[Turn], Any]) -> Any:
        """A job that is refused writes nothing and spoils nobody else's."""
        _flush(turn)
        mark, catalog = turn.mark(), turn.catalog
        turn.c.execute(SQL["savepoint"])
        try:
            result = work(turn)
        except Exception as error:
            if is_files(error):
                raise
            result = translated(error, self._path)
            if not turn.c.in_transaction:
                raise Doomed(work, result) from error
            turn.c.execute(SQL["back"])
            turn.back(mark)
            turn.catalog = catalog
        turn.c.execute(SQL["release"])
        return result

    def _refuse(self, jobs: Sequence[Job], error: Exception) -> list[Outcome]:
        unknown = is_doubtful(error)
        if isinstance(error, (apsw.IOError, apsw.CorruptError, apsw.NotADBError)):
            self._drop_handle()
        ours = translated(error, self._path)
        if not unknown:
            return [(future, ours) for _, future in jobs]
        words = f"{ours}: whether it was kept is not known"
        return [
            (future, Unavailable(words) if callable(work) else [Unknown(words) for _ in work]) for work, future in jobs
        ]

    # ---- the handle ----

    def _handle(self) -> apsw.Connection:
        if self._c is None:
            self._c = self._connect()
            self._runner.guard = Guard(self._c)
            self._c.set_wal_hook(self._grown)
        return self._c

    @property
    def guard(self) -> Guard:
        """On the thread, in a job: of the handle that the job runs on."""
        assert self._runner.guard is not None
        return self._runner.guard

    def _drop_handle(self) -> None:
        if self._c is not None:
            c, self._c = self._c, None
            try:
                c.close(True)
            except apsw.Error:  # it is thrown away because it failed
                pass

    def _grown(self, c: apsw.Connection, name: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    def _checkpoint(self) -> None:
        """After the callers were told, and outside the line. A reader may hold it back; the next one goes further."""
        if self._pages < PAGES or self._c is None:
            return
        self._pages = 0
        try:
            self._c.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.BusyError:
            pass
        except apsw.Error:
            self._drop_handle()  # a failed fsync is never tried again on the same handle


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _flush(turn: Turn) -> None:
    """Rows that were kept back may be impossible (a key of the wrong type): some unit's fault, found carefully."""
    try:
        turn.flush()
    except Exception as error:
        if is_files(error):
            raise
        raise Spoiled from error
