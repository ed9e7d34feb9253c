"""An optional record of every delivery, one JSON line each: proofs and the demo read it, nothing else does.

A line is written before a batch is handled (`invoke`) and after its commit was answered (`ok`, or what it was instead).
A process that dies leaves an `invoke` without an end: it may have happened or not. Set `TIDINGS_HISTORY` to a folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any


class History:
    """Appends to one file a process; every line is written at once, so that a SIGKILL loses none before it."""

    def __init__(self, folder: str) -> None:
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, f"{os.getpid()}.jsonl")
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, what: str, group: str, events: Sequence[tuple[str, int, int]], **more: Any) -> None:
        """`events`: (topic, partition, offset)."""
        line = {"what": what, "group": group, "pid": os.getpid(), "events": events, **more}
        os.write(self._file, json.dumps(line).encode() + b"\n")


def from_environment() -> History | None:
    folder = os.environ.get("TIDINGS_HISTORY")
    return History(folder) if folder else None
