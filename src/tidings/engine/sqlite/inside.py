"""Transactional handlers: user code inside the commit, on a thread of its own, never past its deadline.

The writer's thread waits for the handler and keeps the write lock meanwhile; when the deadline passes it interrupts the
statement that runs, closes the handler's Transaction for good, and goes on without it: nobody waits longer than the
deadline, even if the handler sleeps or loops for ever (its thread is then left behind, and the next handler gets a
new one). The unit is Failed and leaves nothing.

The handler may read everything and write its users' tables (`guard.py` says what is refused). Tables of rows
(`Store.tables`) are tidings' too: who writes one by SQL sets `_version` himself, to a number that the row never had, or
a decision that rests on it goes unnoticed.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import apsw

from tidings.engine.sqlite.guard import Guard
from tidings.engine.sqlite.translate import is_files, translated
from tidings.engine.unit import Inner, Inside
from tidings.errors import Refused

TICKS = 2000  # virtual machine steps between two looks at the deadline


class Raised(Exception):
    """A transactional handler raised, or overran: `text` is what is answered, `cause` names its event."""

    def __init__(self, text: str, cause: int) -> None:
        super().__init__(text)
        self.text, self.cause = text, cause


class SqlTransaction:
    """What a transactional handler is given."""

    def __init__(self, c: apsw.Connection, guard: Guard, path: str) -> None:
        self._c, self._guard, self._path = c, guard, path
        self._lock = threading.Lock()
        self._over = False
        self.broken: apsw.Error | None = None  # the file's error, whatever the handler makes of it

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None, /) -> Sequence[Sequence[Any]]:
        with self._lock:
            if self._over or not self._c.in_transaction:
                raise Refused("this transaction is over", hint="use `tx` only inside the handler that was given it")
            self._c.set_progress_handler(self._overdue, TICKS)
            try:
                return self._guard.run(sql, parameters or {})
            except apsw.Error as error:
                if is_files(error):
                    self.broken = error
                raise translated(error, self._path) from error
            finally:
                self._c.set_progress_handler(None)

    def _overdue(self) -> bool:
        return self._over

    def end(self) -> None:
        """Returns when nothing of the handler's runs on the connection any more, and nothing ever will."""
        self._over = True
        if self._lock.locked():
            self._c.interrupt()
        with self._lock:
            pass


class Runner:
    """Runs handlers one after another; the writer's thread calls `run`."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.guard: Guard | None = None  # of the writer's present handle
        self._work: queue.SimpleQueue[Any] | None = None
        self._told: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def run(self, c: apsw.Connection, inside: Inside) -> Inner:
        assert self.guard is not None
        tx = SqlTransaction(c, self.guard, self._path)
        if self._work is None:
            self._work, self._told = _start()
        self._work.put((inside.run, tx))
        try:
            told, error = self._told.get(timeout=inside.deadline)
        except queue.Empty:
            self._leave()
            told, error = None, TimeoutError(f"the handler took longer than its deadline of {inside.deadline} s")
        finally:
            tx.end()
        if tx.broken is not None:
            raise tx.broken
        if not c.in_transaction and error is None:  # `insert or rollback`, and the handler went on
            error = Refused("the handler took the whole transaction back", hint="let it raise instead")
        if error is not None or told is None:
            raise Raised(repr(error), inside.cause) from error
        return told  # type: ignore[no-any-return]

    def _leave(self) -> None:
        """The thread is still in the handler. Let it end by itself after that."""
        self.close()
        self._work = None

    def close(self) -> None:
        if self._work is not None:
            self._work.put(None)


def _start() -> tuple[queue.SimpleQueue[Any], queue.SimpleQueue[Any]]:
    work: queue.SimpleQueue[Any] = queue.SimpleQueue()
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_serve, args=(work, told), name="tidings-inside", daemon=True).start()
    return work, told


def _serve(work: queue.SimpleQueue[Any], told: queue.SimpleQueue[Any]) -> None:
    while (job := work.get()) is not None:
        run, tx = job
        try:
            told.put((run(tx), None))
        except BaseException as error:  # noqa: BLE001 -- whatever a user's handler raises is an answer
            told.put((None, error))
