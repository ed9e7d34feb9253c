"""The clock of the file: every process that has it open reads the same time, whatever is done to the wall clock.

The file keeps an anchor: a boot id, and what the wall clock says at that boot's second zero. Now = anchor + time since
boot. So a wall clock that is set an hour forward or back, while members are at work, ends no lease and fires no timer.
The anchor is taken anew from the wall clock by a process that opens the file and finds nobody at work. Every write
transaction reads it, so processes that have the file open without being members follow.

Another boot id ends every lease: whoever held one is gone. Where the system has no boot id, the wall clock is used.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import apsw

from tidings.clock import MICRO, SystemClock
from tidings.engine.sqlite.sql import SQL, value_of

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
NEAR = MICRO  # the wall clock drifts by less than this while nobody sets it


def boot_id() -> str:
    """Names this start of the machine; "" where the system does not tell."""
    return BOOT_ID.read_text("ascii").strip() if sys.platform == "linux" else ""


def since_boot() -> int:
    """Microseconds since the machine started, suspension included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


class AnchoredClock(SystemClock):
    """`anchor` 0: the wall clock itself."""

    def __init__(self) -> None:
        self.anchor = 0

    def now(self) -> int:
        return self.anchor + since_boot() if self.anchor else super().now()


def is_settled(c: apsw.Connection, *, working: bool) -> bool:
    """Whether the anchor is of this boot, and right or in use. `working`: some member is alive."""
    boot = boot_id()
    if not boot:
        return True
    same = value_of(c, SQL["meta"], ("boot",)) == boot
    return same and (working or abs(_wall() - int(value_of(c, SQL["meta"], ("anchor",)))) <= NEAR)


def settle(c: apsw.Connection, *, working: bool) -> None:
    """Take a new anchor if there is reason to, inside a write transaction."""
    if is_settled(c, working=working):
        return
    boot = boot_id()
    if value_of(c, SQL["meta"], ("boot",)) != boot:
        c.execute(SQL["members_gone"])
        c.execute(SQL["lines"], (None,))
        c.execute(SQL["owners_gone"])
    c.executemany(SQL["meta_set"], [("boot", boot), ("anchor", _wall())])


def _wall() -> int:
    """What the wall clock says at the boot's second zero."""
    return SystemClock().now() - since_boot()
