"""The memory of an outside party: a file of JSON lines that every process appends to, under a lock.

A line has a key, and the same key is kept once: whoever asks again gets the first line, and the repetition is noted.
"""

import fcntl
import json
import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Line = Mapping[str, Any]


def folder() -> Path:
    """Where the outside parties of this machine keep their memories (SHOP_OUTSIDE)."""
    return Path(os.environ.get("SHOP_OUTSIDE", "outside"))


class Ledger:
    """Opened once a process. What others appended is read when it is needed."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._read = 0
        self._lines: dict[str, Line] = {}
        self.repeated = 0

    def close(self) -> None:
        os.close(self._file)

    def once(self, key: str, make: Callable[[], Line]) -> Line:
        """The line of this key: made now, or what was kept the first time."""
        with self._locked():
            self._catch_up()
            known = self._lines.get(key)
            self._append({"again": key} if known is not None else {"key": key, **make()})
            return self._lines[key]

    def lines(self) -> Mapping[str, Line]:
        """All that was ever kept, by key."""
        with self._locked():
            self._catch_up()
        return self._lines

    @contextmanager
    def _locked(self) -> Generator[None]:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _append(self, line: Line) -> None:
        os.write(self._file, json.dumps(line).encode() + b"\n")
        self._catch_up()

    def _catch_up(self) -> None:
        new = b""
        while part := os.pread(self._file, 1 << 20, self._read + len(new)):
            new += part
        self._read += len(new)
        for text in new.splitlines():
            line = json.loads(text)
            if "again" in line:
                self.repeated += 1
            else:
                self._lines[line["key"]] = line
