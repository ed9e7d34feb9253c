"""The clock of the file: every process that has it open reads the same time, whatever is done to the wall clock.

The file keeps an anchor: a boot id and what the wall clock said at that boot's second zero, taken by the first process
that opened the file since the machine started. Now = anchor + time since boot. So a wall clock that is set an hour
forward or back expires no lease and fires no timer. A file that wakes up under another boot id takes a new anchor,
and every lease ends: whoever held one is gone.

Where the system has no boot id, or a Clock was given, that clock's own `now` is used.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import apsw

from tidings.clock import Clock, SystemClock
from tidings.engine.sqlite.sql import SQL, value_of

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Names this start of the machine; "" where the system does not tell."""
    if sys.platform != "linux":
        return ""
    return BOOT_ID.read_text("ascii").strip()


def since_boot() -> int:
    """Microseconds since the machine started, suspension included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


class AnchoredClock(SystemClock):
    def __init__(self, anchor: int) -> None:
        self._anchor = anchor

    def now(self) -> int:
        return self._anchor + since_boot()


def anchored(c: apsw.Connection) -> Clock:
    """The clock of this file. Call it under the write lock."""
    boot = boot_id()
    if not boot:
        return SystemClock()
    known = {name: value_of(c, SQL["meta"], (name,)) for name in ("boot", "anchor")}
    if known["boot"] == boot:
        return AnchoredClock(int(known["anchor"]))
    anchor = SystemClock().now() - since_boot()
    c.execute(SQL["begin"])
    c.executemany(SQL["meta_set"], [("boot", boot), ("anchor", anchor)])
    c.execute(SQL["members_gone"])
    c.execute(SQL["owners_gone"])
    c.execute(SQL["commit"])
    return AnchoredClock(anchor)
