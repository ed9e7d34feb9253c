"""The clock of the server: every process reads the same time, whatever is done to the wall clock of its own machine.

Now = what the server's clock said when it was last asked + what this machine's monotonic clock says has passed since.
It is asked when the engine opens and with every beat of a member.
"""

from __future__ import annotations

import time

from tidings.clock import SystemClock


class DatabaseClock(SystemClock):
    def __init__(self) -> None:
        self._offset = time.time_ns() // 1000 - _passed()

    def now(self) -> int:
        return self._offset + _passed()

    def set(self, now: int) -> None:
        self._offset = now - _passed()


def _passed() -> int:
    return time.monotonic_ns() // 1000
