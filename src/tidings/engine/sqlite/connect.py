"""Opening the file: one place for what every connection must have.

WAL; FULL fsyncs each commit, NORMAL only checkpoints, OFF nothing. Checkpoints are made by the writer after it has
answered, so no connection makes them by itself. Page size 4096 stays: larger ones slow single commits down.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import apsw

from tidings.errors import Refused

Synchronous: TypeAlias = Literal["full", "normal", "off"]
PRAGMAS: dict[Synchronous, str] = {
    "full": "pragma synchronous = full",
    "normal": "pragma synchronous = normal",
    "off": "pragma synchronous = off",
}
BUSY = 10_000  # milliseconds that a foreign program may keep the lock before we say so


def connect(path: str, synchronous: Synchronous = "full", *, readonly: bool = False) -> apsw.Connection:
    """A connection that only tidings' own statements use, or a read-only one."""
    flags = apsw.SQLITE_OPEN_READONLY if readonly else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    c = apsw.Connection(path, flags=flags, statementcachesize=512)
    c.set_busy_timeout(BUSY)
    c.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    c.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)
    c.config(apsw.SQLITE_DBCONFIG_DQS_DDL, 0)
    c.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    if not readonly:
        mode = c.execute("pragma journal_mode = wal").fetchall()[0][0]
        if mode != "wal":
            raise Refused(f"{path!r} cannot be kept in WAL mode", hint="name a file on a local disk")
        c.execute("pragma journal_size_limit = 16777216")
        c.execute(PRAGMAS[synchronous])
        c.execute("pragma foreign_keys = on")
        c.wal_autocheckpoint(0)
    return c
