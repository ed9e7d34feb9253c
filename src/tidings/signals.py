"""Named points in the life of an event: a test waits at them, a kill harness dies at them, nobody else pays for them.

`reached(NAME)` costs one look at an empty dict in production. A test listens with `listening`; a process that was
started with `TIDINGS_CRASH=name:n` kills itself (SIGKILL) when it reaches that point for the n-th time. `POINTS` lists
every name, and the harness fails when one of them was never reached.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

POINTS: dict[str, str] = {
    "member.claimed": "partitions are claimed, nothing was read yet",
    "member.fetched": "a batch was read, no handler ran",
    "member.decided": "handlers ran, nothing is written",
    "member.committed": "effects and progress are durable, the member does not act on it yet",
    "member.released": "partitions are given back",
    "sqlite.begun": "inside the write transaction, nothing is written",
    "sqlite.written": "everything is written, not committed",
    "sqlite.committed": "durable, the caller was not told",
    "sqlite.swept": "retention deleted records, not committed",
    "postgres.begun": "units are packed, nothing was sent",
    "postgres.committed": "durable, the caller was not told",
    "postgres.swept": "retention deleted records, not committed",
    "relay.taken": "intents are durable, nothing was sent",
    "relay.sent": "the log has the events, the outbox was not told",
}

_listeners: dict[str, list[Callable[[], None]]] = {}


def reached(name: str) -> None:
    """Say that the point was reached. Called on any thread."""
    if _listeners and (heard := _listeners.get(name)):
        for listener in tuple(heard):
            listener()


@contextmanager
def listening(name: str, listener: Callable[[], None]) -> Iterator[None]:
    """Call the listener, on the thread that gets there, each time the point is reached."""
    if name not in POINTS:
        raise KeyError(name)
    _listeners.setdefault(name, []).append(listener)
    try:
        yield
    finally:
        _listeners[name].remove(listener)
        if not _listeners[name]:
            del _listeners[name]


def arm(spec: str) -> None:
    """`name:n` -- die without a trace when the point is reached for the n-th time."""
    name, _, count = spec.partition(":")
    if name not in POINTS:
        raise KeyError(name)
    left = int(count or 1)

    def die() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    _listeners.setdefault(name, []).append(die)


if _spec := os.environ.get("TIDINGS_CRASH"):
    arm(_spec)
