"""Places in a log as people write them: `start`, `end`, an offset, a moment, or how long ago."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from tidings.clock import from_micro, to_micro
from tidings.engine.port import Engine
from tidings.engine.unit import Partition
from tidings.errors import SettingsError

Place: TypeAlias = Literal["start", "end"] | int | datetime | timedelta
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
HINT = "start, end, an offset, a moment as 2026-03-01T12:00Z, or how long ago as 90s, 15m, 2h, 7d"


def read_place(text: str) -> Place:
    """Raises SettingsError for anything else."""
    word = text.strip()
    if word == "start":
        return "start"
    if word == "end":
        return "end"
    if re.fullmatch(r"[0-9]{1,18}", word):
        return int(word)
    if ago := re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)([smhd])", word):
        return timedelta(**{UNITS[ago[2]]: float(ago[1])})
    try:
        moment = datetime.fromisoformat(word)
    except ValueError:
        raise SettingsError(f"{text!r} is no place in a log", hint=HINT) from None
    if moment.tzinfo is None:
        raise SettingsError(
            f"{text!r} has no time zone, so it names no moment", hint=f"put Z behind it for UTC: {word}Z"
        )
    return moment


async def offsets(engine: Engine, topics: Sequence[str], place: Place) -> dict[Partition, int]:
    """That place in every partition of these topics; an offset is moved into what is left of each."""
    extents = {e.partition: e for e in await engine.log.extents(topics)}
    if place == "start":
        return {part: e.first for part, e in extents.items()}
    if place == "end":
        return {part: e.next for part, e in extents.items()}
    if isinstance(place, int):
        return {part: min(max(place, e.first), e.next) for part, e in extents.items()}
    moment = place if isinstance(place, datetime) else from_micro(await engine.store.now()) - place
    found: dict[Partition, int] = {}
    for topic in topics:
        found |= await engine.log.at(topic, max(0, to_micro(moment)))
    return {part: min(max(found[part], e.first), e.next) for part, e in extents.items()}
