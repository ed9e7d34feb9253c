"""apsw's errors as ours, in one table: no driver's error leaves this package.

Three sorts. *The file's* (full, read-only, damaged, locked) end the whole transaction and are raised. *A unit's* (a
constraint, a value that cannot be bound, SQL that does not parse) make that unit Failed. And where the disk failed
while a commit was being made durable nobody knows what a crash would leave: `doubtful`, answered as Unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from tidings.errors import Closed, EngineError, Refused, Unavailable

TABLE: dict[type[apsw.Error], tuple[type[EngineError], str, str]] = {
    apsw.FullError: (
        Unavailable,
        "the disk is full",
        "free some space; the engine goes on by itself",
    ),
    apsw.ReadOnlyError: (
        Unavailable,
        "the file may not be written",
        "give this user the right to write to the file and to its folder (SQLite makes -wal and -shm files there)",
    ),
    apsw.CantOpenError: (
        Unavailable,
        "the file cannot be opened",
        "the path must name a file, not a folder, in a folder that exists and may be written",
    ),
    apsw.NotADBError: (
        Refused,
        "the file is not an SQLite database",
        "choose another path; the file was not touched",
    ),
    apsw.CorruptError: (
        Unavailable,
        "the file is damaged",
        "restore it from a backup; SQLite's `pragma integrity_check` says what is wrong",
    ),
    apsw.BusyError: (
        Unavailable,
        "another program keeps the file locked",
        "end its transaction; `tidings doctor` names the process",
    ),
    apsw.IOError: (
        Unavailable,
        "the disk failed",
        "look at the system's log; the engine opens the file anew and goes on when the disk does",
    ),
    apsw.NoMemError: (Unavailable, "there is no memory left", "give the process more memory"),
    apsw.ProtocolError: (Unavailable, "the file's locks are in disorder", "no network file system can hold this file"),
    apsw.PermissionsError: (Unavailable, "the file may not be read", "give this user the right to read it"),
    apsw.AuthError: (
        Refused,
        "this statement is not allowed here",
        "a query only reads; a transactional handler may not end the transaction, nor write tidings' own tables",
    ),
    apsw.ConnectionClosedError: (Closed, "the engine is closed", "open another one with `open_engine`"),
}
BESIDE = "tidings keeps files beside the database: this user must have the right to write to its folder"
FILES = tuple(kind for kind in TABLE if kind not in {apsw.AuthError, apsw.ConnectionClosedError})
TOO_LARGE = (
    Unavailable,
    "the file may not grow any further",
    "free some space or raise the limit of the file's size; the engine goes on by itself",
)
DOUBTFUL = {
    apsw.SQLITE_IOERR_FSYNC,
    apsw.SQLITE_IOERR_DIR_FSYNC,
    apsw.SQLITE_IOERR_TRUNCATE,
    apsw.SQLITE_IOERR_CLOSE,
}
"""Only these leave a whole commit in the WAL of which nobody can say that it is durable: a write that failed leaves no
commit frame there."""


def is_files(error: BaseException) -> bool:
    """Whether the error is the file's, not that of one unit."""
    return isinstance(error, FILES)


def is_doubtful(error: BaseException) -> bool:
    return isinstance(error, apsw.IOError) and _extended(error) in DOUBTFUL


def translated(error: BaseException, path: str) -> BaseException:
    """Ours, with the driver's as its cause; anything that is not the driver's as it is."""
    if not isinstance(error, apsw.Error):
        return error
    kind, words, hint = next(
        (entry for known, entry in TABLE.items() if isinstance(error, known)),
        (Refused, f"SQLite says: {error}", "correct the statement or the values"),
    )
    if isinstance(error, apsw.IOError) and _extended(error) == apsw.SQLITE_IOERR_WRITE:
        kind, words, hint = TOO_LARGE
    ours = kind(f"{path}: {words}", hint=hint)
    ours.__cause__ = error
    return ours


def _extended(error: apsw.Error) -> int:
    return int(getattr(error, "extendedresult", 0))


@contextmanager
def translating(path: str) -> Iterator[None]:
    """Errors of the driver that are raised inside leave it as ours."""
    try:
        yield
    except apsw.Error as error:
        raise translated(error, path) from error
    except OSError as error:  # of the files beside the database
        raise Unavailable(f"{path}: {error.strerror}: {error.filename}", hint=BESIDE) from error
