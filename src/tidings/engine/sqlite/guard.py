"""What a user's SQL may do: an authorizer on the connection, asked while a statement is prepared.

Refused: COMMIT, ROLLBACK, SAVEPOINT, ATTACH, DETACH, PRAGMA, what is temporary (it would hide a table of its name), all
that would write, make, change or hang on a table of tidings' own; of a query, everything but reading.

tidings' statements run on the same connections with the guard down, and a statement that is found in the driver's cache
is not asked about. So users' statements have texts of their own (`USERS` in front), and a text with several, whose
later ones would be looked up bare, is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import apsw

from tidings.engine.sqlite.sql import OURS
from tidings.errors import Refused

REFUSED = {
    apsw.SQLITE_TRANSACTION,
    apsw.SQLITE_SAVEPOINT,
    apsw.SQLITE_ATTACH,
    apsw.SQLITE_DETACH,
    apsw.SQLITE_PRAGMA,
    apsw.SQLITE_CREATE_TEMP_INDEX,
    apsw.SQLITE_CREATE_TEMP_TABLE,
    apsw.SQLITE_CREATE_TEMP_TRIGGER,
    apsw.SQLITE_CREATE_TEMP_VIEW,
}
OURS_ALONE = {
    apsw.SQLITE_INSERT,
    apsw.SQLITE_UPDATE,
    apsw.SQLITE_DELETE,
    apsw.SQLITE_ALTER_TABLE,
    apsw.SQLITE_CREATE_INDEX,
    apsw.SQLITE_CREATE_TABLE,
    apsw.SQLITE_CREATE_TRIGGER,
    apsw.SQLITE_CREATE_VIEW,
    apsw.SQLITE_DROP_INDEX,
    apsw.SQLITE_DROP_TABLE,
    apsw.SQLITE_DROP_TRIGGER,
    apsw.SQLITE_DROP_VIEW,
}
"""Refused where the table, or what is made or dropped, bears our name."""
READS = {apsw.SQLITE_SELECT, apsw.SQLITE_READ, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE}
USERS = "/* a user's */ "


class Guard:
    def __init__(self, c: apsw.Connection, *, reads: bool = False) -> None:
        self._c, self._up, self._reads = c, False, reads
        c.set_authorizer(self._allow)

    def run(self, sql: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """One statement of a user's."""
        with self._raised():
            cursor = self._c.cursor()
            cursor.exec_trace = _one_only()
            try:
                return cursor.execute(USERS + sql, dict(parameters)).fetchall()
            except apsw.ExecTraceAbort as error:
                raise Refused("several statements in one text", hint="run each by a call of its own") from error

    def run_script(self, sql: str) -> None:
        """Any number of statements, none of them from the cache."""
        with self._raised():
            self._c.execute(USERS + sql, can_cache=False).fetchall()

    @contextmanager
    def _raised(self) -> Iterator[None]:
        self._up = True
        try:
            yield
        finally:
            self._up = False

    def _allow(self, what: int, one: str | None, two: str | None, *_: str | None) -> int:
        if not self._up:
            return apsw.SQLITE_OK
        if self._reads:
            return apsw.SQLITE_OK if what in READS else apsw.SQLITE_DENY
        ours = what in OURS_ALONE and any(name is not None and name.lower().startswith(OURS[0]) for name in (one, two))
        return apsw.SQLITE_DENY if what in REFUSED or ours else apsw.SQLITE_OK


def _one_only() -> Callable[..., bool]:
    """Called before each statement of a text: only the first may run."""
    before = False

    def trace(cursor: apsw.Cursor, sql: str, bindings: object) -> bool:
        nonlocal before
        first, before = not before, True
        return first

    return trace
