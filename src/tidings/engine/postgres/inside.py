"""Transactional handlers: user code inside the commit, on threads and connections of their own, under a deadline.

One thread keeps the transaction: it checks the conditions (locks are taken, nothing is written), runs each handler on
another thread, and then commits the whole unit by the function that commits every unit. When a handler's deadline
passes, its statement is cancelled, its Transaction is closed for good, everything is rolled back and the unit is
Failed; the handler's thread is left behind. Should this whole process stop in between, the server ends the transaction:
`idle_in_transaction_session_timeout` and `statement_timeout` are the deadline.

Order of locks and numbers is that of every commit: rows of the unit, then whatever the handler locks, then positions. A
deadlock runs all of it again.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from msgspec import structs
from psycopg.pq import TransactionStatus

from tidings.engine.postgres.core import Core
from tidings.engine.postgres.guard import check, named
from tidings.engine.postgres.packing import arguments, register
from tidings.engine.postgres.pool import CONNECT
from tidings.engine.postgres.sql import SQL
from tidings.engine.postgres.translate import AGAIN, is_lost, translated
from tidings.engine.unit import Answer, Committed, Failed, Inner, Inside, Unit, Unknown
from tidings.errors import Refused

Handle = psycopg.Connection[Any]
Answers = Callable[[Core, Sequence[Unit], Sequence[Any]], list[Answer]]


class Raised(Exception):
    """A transactional handler raised, or overran: `text` is what is answered, `cause` names its event."""

    def __init__(self, text: str, cause: int) -> None:
        super().__init__(text)
        self.text, self.cause = text, cause


class PostgresTransaction:
    """What a transactional handler is given."""

    def __init__(self, c: Handle) -> None:
        self._c = c
        self._lock = threading.Lock()
        self._over = False
        self.broken: psycopg.Error | None = None  # a deadlock, or the server's, whatever the handler makes of it

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None, /) -> Sequence[Sequence[Any]]:
        with self._lock:
            if self._over:
                raise Refused("this transaction is over", hint="use `tx` only inside the handler that was given it")
            check(sql, reads=False)
            try:
                cursor = self._c.execute(named(sql), dict(parameters or {}), prepare=True)
                return cursor.fetchall() if cursor.description else []
            except psycopg.Error as error:
                if isinstance(error, AGAIN) or is_lost(error, self._c):
                    self.broken = error
                raise translated(error) from error

    def end(self) -> None:
        """Returns when nothing of the handler's runs on the connection any more, and nothing ever will."""
        self._over = True
        if self._lock.locked():
            self._c.cancel_safe(timeout=5)
        with self._lock:
            pass


class Runner:
    def __init__(self, core: Core, answers: Answers, impossible: Callable[[Core, Unit], str]) -> None:
        self._core, self._answers, self._impossible = core, answers, impossible
        self._keepers = ThreadPoolExecutor(1, "tidings-inside")
        self._free: list[Handle] = []

    async def commit(self, unit: Unit) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._keepers, self._commit, unit)

    def close(self) -> None:
        self._keepers.shutdown(wait=False)
        while self._free:
            self._free.pop().close()

    # ---- on the keeper's thread ----

    def _commit(self, unit: Unit) -> Answer:
        while True:
            try:
                c = self._free.pop() if self._free else _open(self._core.url)
            except psycopg.Error as error:
                return Unknown(str(translated(error)))
            try:
                return self._transaction(c, unit)
            except AGAIN:
                continue
            except psycopg.Error as error:
                if is_lost(error, c):
                    return Unknown(f"the connection was lost: {error}")
                return Failed(str(error).strip())
            finally:
                self._put_back(c)

    def _put_back(self, c: Handle) -> None:
        """Whatever is not committed is taken back; a handle on which that fails is thrown away."""
        try:
            if c.info.transaction_status is not TransactionStatus.IDLE:
                c.rollback()
            self._free.append(c)
        except psycopg.Error:
            c.close()

    def _transaction(self, c: Handle, unit: Unit) -> Answer:
        longest = max(inside.deadline for inside in unit.inside)
        limit = str(int(longest * 1000) + 1000)
        c.execute(SQL["limits"], {"limit": limit})
        refused = self._ask(c, unit, dry=True)
        if not isinstance(refused, Committed):
            return refused
        try:
            whole = self._run(c, unit)
        except Raised as raised:
            return Failed(raised.text, raised.cause)
        if reason := self._impossible(self._core, whole):
            return Failed(reason)
        answer = self._ask(c, whole, dry=False)
        if isinstance(answer, Committed):
            c.commit()
        return answer

    def _ask(self, c: Handle, unit: Unit, *, dry: bool) -> Answer:
        values = arguments(self._core.catalog, [unit], self._core.clock.now(), dry=dry)
        row = c.execute(SQL["commit"], values, binary=True, prepare=True).fetchone()
        assert row is not None
        return self._answers(self._core, [structs.replace(unit, receipt=False) if dry else unit], row)[0]

    def _run(self, c: Handle, unit: Unit) -> Unit:
        """The unit with everything that its handlers told."""
        events, marks = list(unit.events), list(unit.once)
        for inside in unit.inside:
            inner = _told(c, inside)
            shift = len(events)
            events += inner.events
            marks += [structs.replace(once, tells=[shift + n for n in once.tells]) for once in inner.once]
        return structs.replace(unit, events=events, once=marks)


def _open(url: str) -> Handle:
    c = psycopg.Connection.connect(url, **CONNECT)  # type: ignore[arg-type]
    register(c)
    return c


def _told(c: Handle, inside: Inside) -> Inner:
    tx, told = PostgresTransaction(c), queue.SimpleQueue[Any]()
    threading.Thread(target=_serve, args=(inside, tx, told), name="tidings-handler", daemon=True).start()
    try:
        inner, error = told.get(timeout=inside.deadline)
    except queue.Empty:
        inner, error = None, TimeoutError(f"the handler took longer than its deadline of {inside.deadline} s")
    finally:
        tx.end()
    if tx.broken is not None:
        raise tx.broken
    if error is not None or inner is None:
        raise Raised(repr(error), inside.cause) from error
    return inner  # type: ignore[no-any-return]


def _serve(inside: Inside, tx: PostgresTransaction, told: queue.SimpleQueue[Any]) -> None:
    try:
        told.put((inside.run(tx), None))
    except BaseException as error:  # noqa: BLE001 -- whatever a user's handler raises is an answer
        told.put((None, error))
