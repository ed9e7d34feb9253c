"""Groups: who has which partition, what is held there, which timers wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidings.engine.postgres.core import Core
from tidings.engine.postgres.seal import seal
from tidings.engine.unit import Claim, Held, Mark, Partition, Timer
from tidings.errors import Corrupt


class Groups:
    """A part of the store."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def claim(self, group: str, member: str, start: Mapping[Partition, int]) -> Sequence[Claim]:
        tps = await self._core.tps(list(start))
        rows = await self._core.all("claim", group=group, member=member, tps=tps, ats=list(start.values()))
        self._core.waking.told()
        found = {tp: rest for tp, *rest in rows}
        return [_claim(group, part, found[tp]) for part, tp in zip(start, tps, strict=True)]

    async def renew(self, claims: Sequence[Claim]) -> Sequence[Claim | None]:
        truth: list[Claim | None] = [None] * len(claims)
        for at, *row in await self._core.all("claims", **await self._places(claims)):
            old = claims[at - 1]
            new = _claim(old.group, old.partition, row)
            truth[at - 1] = new if new.epoch == old.epoch else None
        return truth

    async def release(self, claims: Sequence[Claim]) -> None:
        await self._core.all("release", **await self._places(claims), epochs=[claim.epoch for claim in claims])
        self._core.waking.told()

    async def held(self, claims: Sequence[Claim], due: int | None, limit: int) -> Sequence[Held]:
        rows = await self._core.all("held", **await self._places(claims), due=due, limit=limit)
        return [_held(self._core.catalog.parts[row[0]], row) for row in rows]

    async def timers(self, claims: Sequence[Claim], limit: int) -> Sequence[Timer]:
        rows = await self._core.all("timers", **await self._places(claims), limit=limit)
        return [_timer(self._core.catalog.parts[row[0]], row) for row in rows]

    async def _places(self, claims: Sequence[Claim]) -> dict[str, Any]:
        tps = await self._core.tps([claim.partition for claim in claims])
        return {"groups": [claim.group for claim in claims], "tps": tps}


def _claim(group: str, part: Partition, row: Sequence[Any]) -> Claim:
    epoch, at, held_gen, tries, paused, marks, muted = row
    known = tuple(Mark(source, *stamp) for source, stamp in marks.items())
    return Claim(group, part, epoch, at, held_gen, tries, paused, known, muted)


def _held(part: Partition, row: Sequence[Any]) -> Held:
    tp, pos, time, key, head, data, due, attempt, error, crc = row
    if seal(pos, tp, time, key, head, data) != crc:
        raise Corrupt(*part, pos)
    return Held(part, pos, time, key, head, data, due, attempt, error)


def _timer(part: Partition, row: Sequence[Any]) -> Timer:
    tp, name, due, key, head, data, attempt, crc = row
    if seal(due, tp, attempt, key, head, data) != crc:
        raise Corrupt(f"timer {name} of {part.topic}", part.number, due)
    return Timer(part, name, due, key, head, data, attempt)
