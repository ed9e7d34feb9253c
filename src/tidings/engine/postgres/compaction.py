"""Compaction: of each key the last record stays. A tombstone (no data) goes too when every group is past it.

`tidings_latest` keeps the last position of each key, filled from `tidings_topic.swept` on, so that each record is
looked at once, whatever the size of the log. With `hold_for_groups` nothing goes that some group has still to read.
Nobody is marked truncated: only what a later record of the same key replaced is gone.
"""

from __future__ import annotations

from tidings.engine.port import Topic
from tidings.engine.postgres.catalog import Catalog
from tidings.engine.postgres.pool import Connection, affected, run
from tidings.engine.postgres.retention import WINDOW, Going, Row, slowest


async def compact(c: Connection, catalog: Catalog, topic: Topic, going: Going, limit: int, end: int) -> None:
    """Records that came since the last look: each replaces the one before of its key."""
    tps = sorted(catalog.tps[topic.name].values())
    begin = (await run(c, "swept", name=topic.name))[0][0]
    if topic.hold_for_groups:
        end = min([end, *(await slowest(c, tps)).values()])
    last = min(end, begin + WINDOW)
    if begin >= last or limit <= 0:
        return
    rows = await run(c, "compact_look", begin=begin, end=last, tps=tps, limit=limit)
    for tp, key, pos, grave in rows:
        before = await run(c, "latest", tp=tp, key=key)
        await run(c, "latest_put", tp=tp, key=key, pos=pos, grave=grave)
        if before:
            going.rows += await _row(c, before[0][0])
    going.moved = True
    await run(c, "swept_set", name=topic.name, at=rows[-1][2] + 1 if len(rows) == limit else last)


async def bury(c: Connection, going: Going, limit: int) -> None:
    """Tombstones that every group is past."""
    graves = await run(c, "graves", limit=max(limit, 0))
    at = await slowest(c, sorted({tp for tp, _, _ in graves})) if graves else {}
    for tp, key, pos in graves:
        if pos < at[tp] and await affected(c, "latest_drop", tp=tp, key=key, pos=pos):
            going.rows += await _row(c, pos)


async def _row(c: Connection, pos: int) -> list[Row]:
    return [Row(pos, tp, size) for tp, size in await run(c, "record_size", pos=pos)]
