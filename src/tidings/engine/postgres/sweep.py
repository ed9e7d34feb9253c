"""The sweeper: one bounded transaction after another, one sweeper at a time in the whole schema.

A table of the log whose records may all go is dropped whole: no row of it is touched and nothing is left to vacuum.
Rows are deleted one by one only where topics of different retention share a table, and in the newest one. Dropping
waits for those who read at this moment, and not for long: it is tried again later.

`retention.py` and `compaction.py` say what goes and why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tidings import signals
from tidings.clock import MICRO
from tidings.engine.postgres import sizes
from tidings.engine.postgres.catalog import Catalog
from tidings.engine.postgres.compaction import bury, compact
from tidings.engine.postgres.core import Core
from tidings.engine.postgres.pool import Connection, affected, run
from tidings.engine.postgres.retention import Going, Look, beginnings, slowest
from tidings.errors import Unavailable

SPAN = 1 << 20  # positions of one table of the log, as in schema.sql


async def sweep(core: Core, limit: int) -> int:
    """At most `limit` records in transactions of their own, or one whole table. How many went."""
    end = await core.horizon.reach() + 1
    catalog, now, gone = await core.refresh(), core.clock.now(), 0
    await core.all("grow")
    while gone < limit:
        async with core.pool.transaction() as c:
            if not (await run(c, "sweeping"))[0][0]:
                break
            await sizes.count(c, end)
            going = await _plan(c, catalog, now, limit - gone, end)
            gone += await _take(c, catalog, going)
            signals.reached("postgres.swept")
        if not going.rows and not going.moved:
            break
    return gone or await _drop_table(core, catalog, now, end)


async def _plan(c: Connection, catalog: Catalog, now: int, limit: int, end: int) -> Going:
    going = Going()
    places = {tp: sizes.Place(first, size) for tp, first, size in await run(c, "places")}
    for topic in catalog.topics.values():
        left = limit - len(going.rows)
        if topic.compact:
            await compact(c, catalog, topic, going, left, end)
        else:
            await Look(c, catalog, topic, places).into(going, now, left, end)
    await bury(c, going, limit - len(going.rows))
    return going


async def _take(c: Connection, catalog: Catalog, going: Going) -> int:
    if not going.rows:
        return 0
    kept = {tp for name, topic in catalog.topics.items() if topic.compact for tp in catalog.tps[name].values()}
    await beginnings(c, {row.tp: row.pos + 1 for row in going.rows if row.tp not in kept})
    gone: Counter[int] = Counter()
    for row in going.rows:
        gone[row.tp] -= row.bytes
    count = await affected(c, "log_drop", positions=[row.pos for row in going.rows])
    await sizes.add(c, dict(gone))
    return count


# ---- whole tables ----


async def _drop_table(core: Core, catalog: Catalog, now: int, end: int) -> int:
    """The oldest table of the log, if all of it may go."""
    tables = [n for (n,) in await core.all("log_partitions")]
    if not tables or (tables[0] + 1) * SPAN > end - 1:
        return 0
    try:
        async with core.pool.transaction() as c:
            await run(c, "patience")
            if not (await run(c, "sweeping"))[0][0]:
                return 0
            begin = tables[0] * SPAN
            contents = await run(c, "log_partition_contents", begin=begin, end=begin + SPAN)
            if not await _may_go(c, catalog, contents, now):
                return 0
            await beginnings(c, {tp: pos + 1 for tp, _, pos, _, _ in contents})
            await sizes.add(c, {tp: -size for tp, _, _, _, size in contents})
            await run(c, "log_partition_drop", n=tables[0])
            return sum(count for _, count, *_ in contents)
    except Unavailable:  # somebody reads just now
        return 0


async def _may_go(c: Connection, catalog: Catalog, contents: Sequence[Sequence[int]], now: int) -> bool:
    for tp, _, pos, time, _ in contents:
        topic = catalog.topics[catalog.parts[tp].topic]
        if topic.compact or topic.keep is None or time >= now - int(topic.keep * MICRO):
            return False
        if topic.hold_for_groups and (await slowest(c, [tp]))[tp] <= pos:
            return False
    return True
