"""What is done to a file before an engine works on it: nothing at all, as a rule.

    look      read-only, without any lock: is it ours, of which layout, and does its clock stand
    change    only if something is lacking: the layout is brought forward, the clock's anchor taken, under the lock of
              all processes (two may open a new file at once)

So a file can be opened, and looked at, while some process is stopped inside its commit.
"""

from __future__ import annotations

from pathlib import Path

import apsw

from tidings.engine.sqlite.anchor import is_settled, settle
from tidings.engine.sqlite.connect import BUSY, PRAGMAS, Synchronous, connect
from tidings.engine.sqlite.fair import PATIENCE, Turnstile
from tidings.engine.sqlite.members import Members
from tidings.engine.sqlite.migrate import is_latest, migrate
from tidings.engine.sqlite.sql import SQL, rows_of
from tidings.engine.sqlite.translate import translating
from tidings.errors import SettingsError, Unavailable, did_you_mean


def check(synchronous: str, lease: float, beat: float) -> None:
    if synchronous not in PRAGMAS:
        raise SettingsError(f"synchronous: {synchronous!r} is not known", hint=did_you_mean(synchronous, PRAGMAS))
    if not 0 < beat < lease:
        raise SettingsError(f"a beat of {beat} s does not fit into a lease of {lease} s", hint="lease=5.0, beat=1.0")


def prepare(path: str, synchronous: Synchronous, *, anchored: bool, create: bool) -> None:
    with translating(path):
        if _stands(path, anchored=anchored, create=create):
            return
        turnstile = Turnstile(path)
        try:
            if not turnstile.acquire(PATIENCE):
                raise turnstile.taken(PATIENCE)
            _change(path, synchronous, anchored=anchored)
        finally:
            turnstile.close()


def _stands(path: str, *, anchored: bool, create: bool) -> bool:
    """Whether nothing is to be done. What is not ours is left as it is, without a lock file beside it."""
    file = Path(path).absolute()
    if file.is_dir() or not file.parent.is_dir():
        what = "a folder" if file.is_dir() else "in no folder that exists"
        raise Unavailable(f"{path!r} is {what}", hint="name a file in a folder that exists and may be written")
    if not file.exists():
        if not create:
            raise Unavailable(f"there is no file {path!r}", hint="name the file of a running system")
        return False
    c = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    try:
        c.set_busy_timeout(BUSY)  # somebody may be making it
        return is_latest(c, path, old=create) and (not anchored or is_settled(c, working=_working(c, path)))
    finally:
        c.close()


def _change(path: str, synchronous: Synchronous, *, anchored: bool) -> None:
    c = connect(path, synchronous)
    try:
        migrate(c, path)
        if anchored:
            c.execute(SQL["begin"])
            settle(c, working=_working(c, path))
            c.execute(SQL["commit"])
    finally:
        c.close()


def _working(c: apsw.Connection, path: str) -> bool:
    """Whether some member lives."""
    members = Members(path)
    return any(not members.dead(group, name) for group, name, _ in rows_of(c, SQL["members"], (None,)))
