"""Groups: who has which partition, what is held there, which timers wait."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tidings.engine.sqlite.core import Core
from tidings.engine.sqlite.seal import seal
from tidings.engine.sqlite.sql import SQL, row_of, rows_of
from tidings.engine.sqlite.turn import Turn
from tidings.engine.unit import Claim, Held, Mark, Partition, Timer
from tidings.errors import Corrupt


class Groups:
    """A part of the store."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def claim(self, group: str, member: str, start: Mapping[Partition, int]) -> Sequence[Claim]:
        return await self._core.do(lambda turn: _claims(turn, group, member, start))

    async def renew(self, claims: Sequence[Claim]) -> Sequence[Claim | None]:
        places = [(old.group, self._core.reads.tp(old.partition)) for old in claims]
        with self._core.reads.snapshot() as c:
            rows = [row_of(c, SQL["claimed"], place) for place in places]
        truth = [_claim(old.group, old.partition, row) if row else None for old, row in zip(claims, rows, strict=True)]
        return [new if new and new.epoch == old.epoch else None for old, new in zip(claims, truth, strict=True)]

    async def release(self, claims: Sequence[Claim]) -> None:
        def write(turn: Turn) -> None:
            for claim in claims:
                tp = turn.catalog.tp(claim.partition)
                row = row_of(turn.c, SQL["step_look"], (claim.group, tp))
                if row is not None and row[0] == claim.epoch:
                    turn.c.execute(SQL["line"], (claim.group, tp))
                    turn.c.execute(SQL["let_go"], (claim.group, tp, claim.epoch))

        await self._core.do(write)

    async def held(self, claims: Sequence[Claim], due: int | None, limit: int) -> Sequence[Held]:
        found: list[Held] = []
        reads = self._core.reads
        for claim in claims:
            place = (claim.group, reads.tp(claim.partition))
            if due is None:
                rows = reads.all(SQL["held"], (*place, limit - len(found)))
            else:
                rows = reads.all(SQL["held_due"], (*place, due, limit - len(found)))
            found += [_held(claim.partition, place[1], row) for row in rows]
            if len(found) >= limit:
                break
        return found

    async def timers(self, claims: Sequence[Claim], limit: int) -> Sequence[Timer]:
        found: list[Timer] = []
        reads = self._core.reads
        for claim in claims:
            tp = reads.tp(claim.partition)
            found += [_timer(claim.partition, tp, row) for row in reads.all(SQL["timers"], (claim.group, tp, limit))]
        return sorted(found, key=lambda timer: (timer.due, timer.name))[:limit]


def _claims(turn: Turn, group: str, member: str, start: Mapping[Partition, int]) -> list[Claim]:
    found = []
    for part, at in start.items():
        place = (group, turn.catalog.tp(part))
        turn.c.execute(SQL["line"], place)
        turn.c.execute(SQL["claim"], (*place, at, member))
        found.append(_claim(group, part, rows_of(turn.c, SQL["claimed"], place)[0]))
    return found


def _claim(group: str, part: Partition, row: Sequence[Any]) -> Claim:
    epoch, at, held_gen, tries, paused, marks, muted = row
    known = tuple(Mark(source, *stamp) for source, stamp in json.loads(marks or "{}").items())
    return Claim(group, part, epoch, at, held_gen, tries, paused, known, muted)


def _held(part: Partition, tp: int, row: Sequence[Any]) -> Held:
    pos, time, key, head, data, due, attempt, error, crc = row
    if seal(pos, tp, time, key, head, data) != crc:
        raise Corrupt(*part, pos)
    return Held(part, pos, time, key, head, data, due, attempt, error)


def _timer(part: Partition, tp: int, row: Sequence[Any]) -> Timer:
    name, due, key, head, data, attempt, crc = row
    if seal(due, tp, attempt, key, head, data) != crc:
        raise Corrupt(f"timer {name} of {part.topic}", part.number, due)
    return Timer(part, name, due, key, head, data, attempt)
