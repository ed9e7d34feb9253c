"""What operators see and do. Each deed is written down in the same commit, and each that touches a partition bumps its
epoch or held_gen, so that its owner notices."""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping, Sequence

from tidings.engine.port import Act, Progress
from tidings.engine.postgres.catalog import RowTable
from tidings.engine.postgres.core import Core
from tidings.engine.postgres.pool import Connection, affected, run
from tidings.engine.unit import Partition

ENDS = ("end", "end_progress", "end_held", "end_timers", "end_tallies", "end_members")


class Operators:
    """A part of the store."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def progress(self, group: str | None = None) -> Sequence[Progress]:
        rows = await self._core.all("progress", group=group)
        found = [Progress(name, await self._core.part(tp), *rest) for name, tp, *rest in rows]
        return sorted(found, key=lambda row: (row.group, row.partition))

    async def move(
        self, group: str, to: Mapping[Partition, int], clear: Sequence[str] = (), *, muted: bool = False
    ) -> None:
        tps = dict(zip(await self._core.tps(list(to)), to.values(), strict=True))
        async with self._core.pool.transaction() as c:
            tables = [await self._table(c, name) for name in clear]
            for tp, at in sorted(tps.items()):
                await run(c, "move", group=group, tp=tp, at=at, muted=muted)
                await run(c, "move_held", group=group, tp=tp)
                await run(c, "move_timers", group=group, tp=tp)
            for table in tables:
                await c.execute(table.clear)
                await run(c, "forget_rows", space=table.name)
            names = {_name(part): at for part, at in to.items()}
            await self._act(c, "reset", group, to=names, clear=list(clear), muted=muted)
        self._core.waking.told()

    async def _table(self, c: Connection, name: str) -> RowTable:
        """A declared one, or one that a script made. Refused for any other."""
        made = [table for (tables,) in await run(c, "scripts_made") for table in tables]
        return RowTable(name, ()) if name in made else await self._core.table(name)

    async def set_paused(self, group: str, partitions: Sequence[Partition], reason: str | None) -> None:
        tps = await self._core.tps(partitions)
        async with self._core.pool.transaction() as c:
            known = {tp for (tp,) in await run(c, "pause", group=group, tps=tps, reason=reason)}
            names = [_name(part) for part, tp in zip(partitions, tps, strict=True) if tp in known]
            await self._act(c, "pause" if reason is not None else "resume", group, partitions=names, reason=reason)
        self._core.waking.told()

    async def redrive(self, group: str, partition: Partition, key: bytes | None, drop: bool) -> int:
        tp = await self._core.tp(partition)
        act = "drop" if drop else "redrive"
        async with self._core.pool.transaction() as c:
            await run(c, "lock_progress", group=group, tps=[tp])
            offsets = [pos for (pos,) in await run(c, "parked", group=group, tp=tp, key=key)]
            values = {} if drop else {"now": self._core.clock.now()}
            if offsets:
                await affected(c, act, group=group, tp=tp, offsets=offsets, **values)
                await run(c, "touched", group=group, tp=tp)
            await self._act(c, act, group, partition=_name(partition), key=_shown(key), offsets=offsets)
        self._core.waking.told()
        return len(offsets)

    async def remove(self, group: str) -> None:
        async with self._core.pool.transaction() as c:
            for name in ENDS:
                await run(c, name, group=group)
            await self._act(c, "remove", group)
        self._core.waking.told()

    async def acts(self, limit: int) -> Sequence[Act]:
        return [Act(*row) for row in await self._core.all("acts", limit=limit)]

    async def _act(self, c: Connection, act: str, group: str, **detail: object) -> None:
        values = {"now": self._core.clock.now(), "who": _user(), "detail": json.dumps(detail)}
        await run(c, "act", **values, act=act, group=group)


def _shown(key: bytes | None) -> str | None:
    return None if key is None else key.decode("utf-8", "backslashreplace")


def _name(part: Partition) -> str:
    return f"{part.topic}/{part.number}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return "unknown"
