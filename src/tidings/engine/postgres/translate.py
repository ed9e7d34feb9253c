"""The driver's errors as ours, in one table: none leaves this package.

Three sorts. *Lost*: the connection is gone; a commit that was on its way is Unknown, anything else Unavailable. *The
server's* (full, read-only, shutting down) say nothing about a unit and are raised. *A unit's* (a constraint, a value
that does not fit, SQL that does not parse) make that unit Failed. A deadlock and its kin run again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import BaseConnection, errors

from tidings.errors import EngineError, Refused, Unavailable

AGAIN = (errors.DeadlockDetected, errors.SerializationFailure)
LOST = (errors.AdminShutdown, errors.CrashShutdown, errors.CannotConnectNow, errors.IdleInTransactionSessionTimeout)
TABLE: dict[type[psycopg.Error], tuple[type[EngineError], str, str]] = {
    errors.AdminShutdown: (Unavailable, "the server ended the connection", "the engine connects again by itself"),
    errors.CrashShutdown: (Unavailable, "the server crashed and recovers", "the engine connects again by itself"),
    errors.CannotConnectNow: (Unavailable, "the server starts or stops", "try again when it is up"),
    errors.TooManyConnections: (
        Unavailable,
        "the server has no connection left",
        "raise its max_connections, or open the engine with fewer `connections`",
    ),
    errors.InvalidPassword: (Unavailable, "the password is wrong", "correct it in the URL"),
    errors.InvalidAuthorizationSpecification: (Unavailable, "the server lets this user not in", "see its pg_hba.conf"),
    errors.InvalidCatalogName: (Unavailable, "there is no such database", "create it: createdb NAME"),
    errors.DiskFull: (Unavailable, "the server's disk is full", "free some space; the engine goes on by itself"),
    errors.OutOfMemory: (Unavailable, "the server has no memory left", "give it more"),
    errors.ReadOnlySqlTransaction: (
        Refused,
        "this may only read",
        "a query only reads; write in a handler, and give the URL of the primary server",
    ),
    errors.InsufficientPrivilege: (
        Refused,
        "this user may not do that",
        "grant it; tidings needs usage and create on its schema",
    ),
    errors.QueryCanceled: (
        Unavailable,
        "the statement took longer than it may, and was ended",
        "ask for less, add an index to your own tables, or open the engine with a larger `query_within`",
    ),
    errors.LockNotAvailable: (Unavailable, "a lock is held by somebody else", "try again"),
}
SERVERS = (
    errors.DiskFull, errors.OutOfMemory, errors.TooManyConnections, errors.ReadOnlySqlTransaction,
    errors.InsufficientPrivilege, errors.ConfigurationLimitExceeded,
)  # fmt: skip
"""Said by a server that goes on living: the transaction was rolled back, whatever its units were."""


def is_lost(error: BaseException, connection: BaseConnection[Any] | None = None) -> bool:
    """Whether nobody can say what became of the statement."""
    if isinstance(error, LOST):
        return True
    if connection is not None and (connection.closed or connection.broken):
        return True
    return isinstance(error, psycopg.OperationalError) and error.sqlstate is None


def translated(error: BaseException) -> BaseException:
    """Ours, with the driver's as its cause; anything that is not the driver's as it is."""
    if not isinstance(error, psycopg.Error):
        return error
    entry = next((entry for known, entry in TABLE.items() if isinstance(error, known)), None)
    if entry is None and is_lost(error):
        entry = Unavailable, f"PostgreSQL does not answer: {_first(error)}", "is it running, and is the URL right?"
    if entry is None:
        entry = Refused, f"PostgreSQL says: {_first(error)}", "correct the statement or the values"
    kind, words, hint = entry
    ours = kind(words, hint=hint)
    ours.__cause__ = error
    return ours


def _first(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error)).strip().partition("\n")[0]


@contextmanager
def translating() -> Iterator[None]:
    """Errors of the driver that are raised inside leave it as ours."""
    try:
        yield
    except psycopg.Error as error:
        raise translated(error) from error
