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
import threading
import time
from pathlib import Path

from tidings.errors import Unavailable

LOCKS = Path("/proc/locks")
PATIENCE = 10.0  # seconds in line, after which those who wait are told who stands in front of them
AGAIN = 0.01  # seconds between two questions
ASKED = threading.Event()  # never set: its `wait` is a pause


class Turnstile:
    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = _open(path + ".lock")
        self._queue = _open(path + ".queue")

    def enter(self) -> None:
        """Blocks (without the GIL) until it is this process's turn."""
        fcntl.flock(self._queue, fcntl.LOCK_EX)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        fcntl.flock(self._queue, fcntl.LOCK_UN)

    def leave(self) -> None:
        fcntl.flock(self._lock, fcntl.LOCK_UN)

    def acquire(self, within: float) -> bool:
        """For those who must not wait for ever; asks again and again, and takes no place in line."""
        end = time.monotonic() + within
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > end:
                    return False
                ASKED.wait(AGAIN)
            else:
                return True

    def taken(self, within: float) -> Unavailable:
        """What to tell those who waited in vain."""
        pid = self.holder()
        who = f"process {pid}" if pid else "another process"
        return Unavailable(
            f"{self._path}: {who} has kept the write lock for {within:g} s; nothing was written",
            hint=f"it may be stopped inside its commit: `kill -CONT {pid or 'PID'}`, or end it",
        )

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
