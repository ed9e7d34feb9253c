"""Where each partition begins and how many bytes it holds, counted off the path of commits.

`tidings_part.bytes` counts the records below `meta.measured`; what lies beyond is counted by looking, and kept by the
next sweep, or by whoever asks when it has become much.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import apsw

from tidings.engine.sqlite.core import Core
from tidings.engine.sqlite.sql import SQL, rows_of, value_of
from tidings.engine.sqlite.turn import Turn

MUCH = 100_000  # positions that were not counted yet


class Place(NamedTuple):
    first: int
    bytes: int


async def places(core: Core) -> tuple[dict[int, Place], int]:
    """By tp; and the next offset."""
    found, end, measured = await core.users.run(_look)
    while end - measured > MUCH:
        measured = await core.do(partial(count, measured + MUCH))
    return found, end


def _look(c: apsw.Connection) -> tuple[dict[int, Place], int, int]:
    c.execute(SQL["read"])
    try:
        end = int(value_of(c, SQL["next"]))
        return look(c, end), end, _measured(c)
    finally:
        c.execute(SQL["commit"])


def look(c: apsw.Connection, end: int) -> dict[int, Place]:
    new = dict(rows_of(c, SQL["measure"], (_measured(c), end)))
    return {tp: Place(first, size + new.get(tp, 0)) for tp, first, size in rows_of(c, SQL["places"])}


def count(end: int, turn: Turn) -> int:
    """Count up to `end`, unless somebody has meanwhile; up to where it is counted now."""
    measured = _measured(turn.c)
    if end > measured:
        turn.c.executemany(SQL["measured"], rows_of(turn.c, SQL["measure"], (measured, end)))
        turn.c.execute(SQL["meta_set"], ("measured", end))
    return max(end, measured)


def _measured(c: apsw.Connection) -> int:
    return int(value_of(c, SQL["meta"], ("measured",)))
