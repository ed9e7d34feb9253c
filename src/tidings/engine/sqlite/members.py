"""Members of groups, and which of them live.

A member is a row with the time of its last beat, and a file in PATH.members that it keeps locked. The kernel drops the
lock when the process dies, at whatever moment and however: then the member is dead at once. A process that is frozen
keeps its lock; it is dead when its beat is older than the lease. Neither is what makes it safe to take over: that is
the epoch of the claim, these only save time.

Names of files are hashes: a member's name is never a path.
"""

from __future__ import annotations

import fcntl
import os
from hashlib import blake2b
from pathlib import Path


class Members:
    def __init__(self, path: str) -> None:
        self.folder = Path(path + ".members")
        self.folder.mkdir(exist_ok=True)
        self._mine: dict[Path, int] = {}

    def enter(self, group: str, member: str) -> None:
        """Lock the member's file. Where another seat of that very name has it, the lease alone tells."""
        path = self._path(group, member)
        if path in self._mine:
            return
        while True:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            if not _locked(file):
                os.close(file)
                return
            if _same(file, path):
                break
            os.close(file)  # it was swept away between our opening and our locking it
        self._mine[path] = file
        self.announce(group, member)

    def announce(self, group: str, member: str) -> None:
        """Let everybody look at the roster again: the folder is watched."""
        file = self._mine.get(self._path(group, member))
        if file is not None:
            try:
                os.pwrite(file, b"x", 0)
                os.utime(self.folder)  # for those who have to look at its time
            except OSError:  # a full disk: they notice at their next beat
                pass

    def leave(self, group: str, member: str) -> None:
        path = self._path(group, member)
        file = self._mine.pop(path, None)
        if file is not None:
            path.unlink(missing_ok=True)
            os.close(file)

    def dead(self, group: str, member: str) -> bool:
        """Whether nobody keeps the member's file locked."""
        return not self._held(self._path(group, member))

    def _held(self, path: Path) -> bool:
        if path in self._mine:
            return True
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # no file, no proof: the lease tells
            return True
        try:
            return not _locked(file, shared=True)
        finally:
            os.close(file)

    def sweep(self, group: str, member: str) -> None:
        """Take a dead member's file away, unless somebody has just come under that name."""
        path = self._path(group, member)
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return
        if _locked(file) and _same(file, path):
            path.unlink(missing_ok=True)
        os.close(file)

    def close(self) -> None:
        for file in self._mine.values():
            os.close(file)
        self._mine.clear()

    def _path(self, group: str, member: str) -> Path:
        return self.folder / blake2b(f"{len(group)}:{group}{member}".encode(), digest_size=16).hexdigest()


def _locked(file: int, *, shared: bool = False) -> bool:
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _same(file: int, path: Path) -> bool:
    try:
        return os.fstat(file).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False
