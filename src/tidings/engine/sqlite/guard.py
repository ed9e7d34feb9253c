"""What a user's SQL may do: an authorizer on the connection, asked while a statement is prepared.

Refused: COMMIT, ROLLBACK, SAVEPOINT, ATTACH, DETACH, PRAGMA, ALTER TABLE, and every write to tidings' own tables; of a
query, everything but reading. tidings' statements run on the same connections with the guard down.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from tidings.engine.sqlite.sql import OURS

REFUSED = {
    apsw.SQLITE_TRANSACTION,
    apsw.SQLITE_SAVEPOINT,
    apsw.SQLITE_ATTACH,
    apsw.SQLITE_DETACH,
    apsw.SQLITE_PRAGMA,
    apsw.SQLITE_ALTER_TABLE,
}
WRITES = {
    apsw.SQLITE_INSERT,
    apsw.SQLITE_UPDATE,
    apsw.SQLITE_DELETE,
    apsw.SQLITE_DROP_TABLE,
    apsw.SQLITE_DROP_INDEX,
    apsw.SQLITE_DROP_TRIGGER,
    apsw.SQLITE_DROP_VIEW,
}
READS = {apsw.SQLITE_SELECT, apsw.SQLITE_READ, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE}
USERS = " "  # put before a user's SQL, so that it never finds a statement of tidings' own in the cache


class Guard:
    def __init__(self, c: apsw.Connection, *, reads: bool = False) -> None:
        self._up, self._reads = False, reads
        c.set_authorizer(self._allow)

    @contextmanager
    def up(self) -> Iterator[None]:
        """A user's statements run inside."""
        self._up = True
        try:
            yield
        finally:
            self._up = False

    def _allow(self, what: int, name: str | None, *_: str | None) -> int:
        if not self._up:
            return apsw.SQLITE_OK
        if self._reads:
            return apsw.SQLITE_OK if what in READS else apsw.SQLITE_DENY
        ours = what in WRITES and name is not None and name.lower().startswith(OURS[0])
        return apsw.SQLITE_DENY if what in REFUSED or ours else apsw.SQLITE_OK
