"""Who writes next, among processes: SQLite's own lock is taken by whoever asks at the right moment, so saturated
writers starve each other for seconds. Two `flock`s on files beside the database mend that.

    .queue   held while waiting for .lock: whoever just wrote must get in line behind the one who waits
    .lock    held during the write transaction

The kernel drops both when a process dies. One that is *stopped* inside its transaction blocks every writer until it
goes on or dies, with or without these files; `holder` says which process it is.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

LOCKS = Path("/proc/locks")


class Turnstile:
    """A context manager; blocks (without the GIL) until it is this process's turn."""

    def __init__(self, path: str) -> None:
        self._lock = _open(path + ".lock")
        self._queue = _open(path + ".queue")

    def __enter__(self) -> None:
        fcntl.flock(self._queue, fcntl.LOCK_EX)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        fcntl.flock(self._queue, fcntl.LOCK_UN)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        fcntl.flock(self._lock, fcntl.LOCK_UN)

    def holder(self) -> int | None:
        """The process that has the write lock now, where the system tells (Linux)."""
        inode = os.fstat(self._lock).st_ino
        try:
            lines = LOCKS.read_text("ascii").splitlines()
        except OSError:
            return None
        words = [line.split() for line in lines if " -> " not in line]  # an arrow: waits
        found = [int(w[4]) for w in words if w[1] == "FLOCK" and int(w[5].rpartition(":")[2]) == inode]
        return next((pid for pid in found if pid > 0), None)

    def close(self) -> None:
        os.close(self._queue)
        os.close(self._lock)


def _open(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
