"""Waking across processes: a signal file that is written after each commit, and everybody who watches it.

Linux: inotify, some 40 microseconds from write to wake, any number of watchers, no register of them. A process that
dies closes its files, and its member files (see `members.py`) are watched for that. Elsewhere, and should inotify be
refused: the files' times are looked at every `POLL` seconds. Below both lies a slow poll of the database itself.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
import sys
from collections.abc import Callable, Iterator

IN_MODIFY, IN_CLOSE_WRITE, IN_DELETE = 0x2, 0x8, 0x200
EVENT = struct.Struct("iIII")  # watch, mask, cookie, length of the name that follows
POLL = 0.05
FLOOR_WATCHED, FLOOR_POLLED = 1.0, POLL
AFTER = 0.02  # a dying process closes a file a moment before it gives up its lock


class Watch:
    """`on_commit` and `on_roster` are called on the loop, once or more for each thing that happened."""

    def __init__(self, path: str, folder: str, on_commit: Callable[[], None], on_roster: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._file = os.open(path + ".wake", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._paths = (path + ".wake", folder)
        self._on_commit, self._on_roster = on_commit, on_roster
        self._later: asyncio.TimerHandle | None = None
        self._seen = self._times()
        self._inotify = _inotify(self._paths)
        self.floor = FLOOR_WATCHED if self._inotify is not None else FLOOR_POLLED
        if self._inotify is not None:
            self._loop.add_reader(self._inotify, self._read)
        else:
            self._later = self._loop.call_later(POLL, self._poll)

    def signal(self) -> None:
        """A commit is there. On any thread; a full disk only makes others notice later."""
        try:
            os.pwrite(self._file, b"x", 0)
        except OSError:
            pass

    def _read(self) -> None:
        assert self._inotify is not None
        masks = dict[int, int]()
        for watch, mask in _events(os.read(self._inotify, 4096)):
            masks[watch] = masks.get(watch, 0) | mask
        if 1 in masks:
            self._on_commit()
        if 2 in masks:
            self._on_roster()
            if masks[2] & IN_CLOSE_WRITE and self._later is None:
                self._later = self._loop.call_later(AFTER, self._roster_again)

    def _roster_again(self) -> None:
        self._later = None
        self._on_roster()

    def _poll(self) -> None:
        before, self._seen = self._seen, self._times()
        if self._seen[0] != before[0]:
            self._on_commit()
        if self._seen[1] != before[1]:
            self._on_roster()
        self._later = self._loop.call_later(POLL, self._poll)

    def _times(self) -> list[int]:
        return [os.stat(path).st_mtime_ns for path in self._paths]

    def close(self) -> None:
        if self._later is not None:
            self._later.cancel()
        if self._inotify is not None:
            self._loop.remove_reader(self._inotify)
            os.close(self._inotify)
        os.close(self._file)


def _inotify(paths: tuple[str, str]) -> int | None:
    """A descriptor that tells of writes to the file (watch 1) and of what happens to files of the folder (watch 2)."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = int(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    if descriptor < 0:  # too many of them for this user
        return None
    masks = (IN_MODIFY, IN_MODIFY | IN_CLOSE_WRITE | IN_DELETE)
    if [libc.inotify_add_watch(descriptor, os.fsencode(p), m) for p, m in zip(paths, masks, strict=True)] != [1, 2]:
        os.close(descriptor)
        return None
    return descriptor


def _events(data: bytes) -> Iterator[tuple[int, int]]:
    place = 0
    while place < len(data):
        watch, mask, _, length = EVENT.unpack_from(data, place)
        yield watch, mask
        place += EVENT.size + length
