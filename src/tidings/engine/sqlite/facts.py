"""What the engine knows of its file, for people."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import apsw

from tidings.engine.sqlite.core import Core
from tidings.engine.sqlite.migrate import version
from tidings.engine.sqlite.sound import damage
from tidings.engine.sqlite.sql import SQL, value_of

TIMES = 5


async def facts(core: Core, *, thorough: bool = False) -> Mapping[str, Any]:
    """`writer`: the process that is inside its commit at this moment; `writer_stopped`: and it was stopped there.
    `sync_seconds`: what an fsync takes beside the file, None where nothing can be written."""
    writer = core.writer.holder()
    found: dict[str, Any] = {
        "engine": "sqlite",
        "path": core.path,
        "sqlite": apsw.sqlite_lib_version(),
        "bytes": _size(core.path),
        "wal_bytes": _size(core.path + "-wal"),
        "writer": writer,
        "writer_stopped": writer is not None and _stopped(writer),
        "sync_seconds": await asyncio.to_thread(_sync_seconds, core.path),
        "once_seconds": core.ages.once,
        "poll_floor": core.poll_floor,
    }
    found |= await core.users.run(_counts)
    return found | ({"damage": await core.users.run(damage)} if thorough else {})


def _counts(c: apsw.Connection) -> dict[str, Any]:
    pages, free, size = c.execute(SQL["pages"]).fetchall()[0]
    found = {"layout": version(c), "pages": pages, "free_pages": free, "page_bytes": size}
    try:
        return found | {
            "records": _one(c, "count_records"),
            "streams": _one(c, "count_streams"),
            "once_marks": _one(c, "count_once"),
        }
    except apsw.CorruptError:  # a thorough look says what is damaged
        return found


def _one(c: apsw.Connection, name: str) -> Any:
    return value_of(c, SQL[name])


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except FileNotFoundError:
        return 0


def _stopped(pid: int) -> bool:
    """Whether the process is stopped (SIGSTOP, a debugger), where the system tells."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] in ("T", "t")


def _sync_seconds(path: str) -> float | None:
    """The middle one of a few fsyncs, of a page each, of a file in the same folder that nobody sees."""
    try:
        with TemporaryFile(dir=Path(path).parent, buffering=0) as file:
            return sorted(_sync(file.fileno()) for _ in range(TIMES))[TIMES // 2]
    except OSError:
        return None


def _sync(file: int) -> float:
    os.write(file, bytes(4096))
    began = time.monotonic()
    os.fsync(file)
    return time.monotonic() - began
