"""What operators see and do. Each deed is written down in the same commit, and each that touches a partition bumps its
epoch or held_gen, so that its owner notices."""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping, Sequence

from tidings.engine.port import Act, Progress
from tidings.engine.sqlite.catalog import RowTable
from tidings.engine.sqlite.core import Core
from tidings.engine.sqlite.retention import TRUNCATED
from tidings.engine.sqlite.sql import SQL
from tidings.engine.sqlite.turn import Turn
from tidings.engine.unit import Partition


class Operators:
    """A part of the store."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def progress(self, group: str | None = None) -> Sequence[Progress]:
        rows = self._core.reads.all(SQL["progress"], (group,))
        parts = self._core.reads.parts()
        found = [Progress(name, parts[tp], *rest) for name, tp, *rest in rows]
        return sorted(found, key=lambda row: (row.group, row.partition))

    async def move(
        self, group: str, to: Mapping[Partition, int], clear: Sequence[str] = (), *, muted: bool = False
    ) -> None:
        def write(turn: Turn) -> None:
            tables = [_table(turn, name) for name in clear]
            for part, at in to.items():
                place = (group, turn.catalog.tp(part))
                turn.c.execute(SQL["line"], place)
                turn.c.execute(SQL["move"], (*place, at, muted, TRUNCATED + "*"))
                turn.c.execute(SQL["move_held"], place)
                turn.c.execute(SQL["move_timers"], place)
            for table in tables:
                turn.c.execute(table.clear)
            names = {_name(part): at for part, at in to.items()}
            _act(turn, "reset", group, to=names, clear=list(clear), muted=muted)

        await self._core.do(write)

    async def set_paused(self, group: str, partitions: Sequence[Partition], reason: str | None) -> None:
        def write(turn: Turn) -> None:
            known = []
            for part in partitions:
                turn.c.execute(SQL["pause"], (group, turn.catalog.tp(part), reason))
                if turn.c.changes():
                    known.append(_name(part))
            _act(turn, "pause" if reason is not None else "resume", group, partitions=known, reason=reason)

        await self._core.do(write)

    async def redrive(self, group: str, partition: Partition, key: bytes | None, drop: bool) -> int:
        def write(turn: Turn) -> int:
            place = (group, turn.catalog.tp(partition))
            offsets = [pos for (pos,) in turn.c.execute(SQL["parked"], (*place, key))]
            if drop:
                turn.c.execute(SQL["drop"], (*place, key))
            else:
                turn.c.execute(SQL["redrive"], (*place, key, turn.now))
            if offsets:
                turn.c.execute(SQL["touched"], place)
            act = "drop" if drop else "redrive"
            _act(turn, act, group, partition=_name(partition), key=_shown(key), offsets=offsets)
            return len(offsets)

        return await self._core.do(write)

    async def remove(self, group: str) -> None:
        def write(turn: Turn) -> None:
            for name in ("lines", "end", "end_progress", "end_held", "end_timers", "end_tallies", "end_members"):
                turn.c.execute(SQL[name], (group,))
            _act(turn, "remove", group)

        await self._core.do(write)

    async def acts(self, limit: int) -> Sequence[Act]:
        return [Act(*row) for row in self._core.reads.all(SQL["acts"], (limit,))]


def _table(turn: Turn, name: str) -> RowTable:
    """A declared one, or one that a script made. Refused for any other."""
    made = [table for (text,) in turn.c.execute(SQL["scripts_made"]) for table in json.loads(text)]
    return RowTable(name, ()) if name in made else turn.catalog.table(name)


def _act(turn: Turn, act: str, group: str, **detail: object) -> None:
    turn.c.execute(SQL["act"], (turn.now, _user(), act, group, json.dumps(detail)))


def _name(part: Partition) -> str:
    return f"{part.topic}/{part.number}"


def _shown(key: bytes | None) -> str | None:
    return None if key is None else key.decode("utf-8", "backslashreplace")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return "unknown"
