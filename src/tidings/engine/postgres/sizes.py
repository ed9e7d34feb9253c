"""Where each partition begins and how many bytes it holds, counted off the path of commits.

`tidings_part.bytes` counts the records below `meta.measured`; what lies beyond is counted by looking, and kept by the
next sweep.
"""

from __future__ import annotations

from typing import NamedTuple

from tidings.engine.postgres.pool import Connection, Pool, run


class Place(NamedTuple):
    first: int
    bytes: int


async def places(pool: Pool, end: int) -> dict[int, Place]:
    """By tp, up to the offset `end`."""
    async with pool.transaction() as c:
        measured = (await run(c, "measured"))[0][0]
        new = dict(await run(c, "measure", begin=measured, end=end))
        return {tp: Place(first, size + new.get(tp, 0)) for tp, first, size in await run(c, "places")}


async def count(c: Connection, end: int) -> None:
    """Keep what was counted up to `end`, in the sweeper's transaction."""
    measured = (await run(c, "measured"))[0][0]
    if end > measured:
        await add(c, dict(await run(c, "measure", begin=measured, end=end)))
        await run(c, "meta_set", name="measured", value=str(end))


async def add(c: Connection, sizes: dict[int, int]) -> None:
    if sizes:
        await run(c, "bytes_add", tps=list(sizes), ns=list(sizes.values()))
