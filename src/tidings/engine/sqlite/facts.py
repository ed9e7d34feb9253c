"""What the engine knows of its file, for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import apsw

from tidings.engine.sqlite.core import Core
from tidings.engine.sqlite.migrate import version
from tidings.engine.sqlite.sql import SQL, value_of


async def facts(core: Core, *, thorough: bool = False) -> Mapping[str, Any]:
    """`writer`: the process that is inside its commit at this moment."""
    found: dict[str, Any] = {
        "engine": "sqlite",
        "path": core.path,
        "sqlite": apsw.sqlite_lib_version(),
        "bytes": _size(core.path),
        "wal_bytes": _size(core.path + "-wal"),
        "writer": core.writer.holder(),
        "once_seconds": core.ages.once,
        "poll_floor": core.poll_floor,
    }
    return found | await core.users.run(lambda c: _counts(c) | (_damage(c) if thorough else {}))


def _counts(c: apsw.Connection) -> dict[str, Any]:
    return {
        "layout": version(c),
        "records": _one(c, "count_records"),
        "streams": _one(c, "count_streams"),
        "once_marks": _one(c, "count_once"),
    }


def _damage(c: apsw.Connection) -> dict[str, Any]:
    found = [str(row[0]) for row in c.execute(SQL["sound"])]
    return {"damage": () if found == ["ok"] else tuple(found)}


def _one(c: apsw.Connection, name: str) -> Any:
    return value_of(c, SQL[name])


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except FileNotFoundError:
        return 0
