"""Looking through the log: settled rows in commit order, filtered by partition, each checked against its seal.

One trip: the horizon's question, the rows up to what it settles, and which partitions have lost what was asked for. The
rows are read before the beginnings, so that retention between the two is reported, never passed over. There is no index
but the position, so a look stops after `WINDOW` positions, however few of them were its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidings.engine.postgres.catalog import Catalog
from tidings.engine.postgres.horizon import Horizon
from tidings.engine.postgres.pool import Pool
from tidings.engine.postgres.seal import seal
from tidings.engine.postgres.sql import SQL
from tidings.engine.unit import Partition, Record
from tidings.errors import Corrupt, EngineError, Truncated

WINDOW = 100_000


@dataclass
class Found:
    """Below `end` nothing was left out. `whole`: that is the end of what has settled. `ill`: partitions that cannot go
    on."""

    records: dict[int, list[Record]] = field(default_factory=dict)
    end: int = 0
    whole: bool = True
    ill: dict[int, EngineError] = field(default_factory=dict)


async def scan(
    pool: Pool, horizon: Horizon, catalog: Catalog, starts: Mapping[int, int], begin: int, limit: int, size: int
) -> Found:
    """Records of these partitions (by tp) from `begin` on, none below its partition's own start. At most `limit` rows
    and about `size` bytes."""
    last = begin + WINDOW - 1
    values = {"begin": begin, "last": last, "tps": list(starts), "limit": limit}
    async with pool.one() as connection, connection.pipeline():
        asked = await horizon.ask(connection)
        looked = await connection.execute(SQL["scan"], values, binary=True, prepare=True)
        begun = await connection.execute(
            SQL["firsts"], {"begin": begin, "tps": values["tps"]}, binary=True, prepare=True
        )
        settled = await horizon.heard(asked)
        rows, firsts = await looked.fetchall(), await begun.fetchall()
    found = Found(end=max(begin, min(settled, last) + 1), whole=settled <= last)
    for tp, first in firsts:
        if starts[tp] < first:
            found.ill[tp] = Truncated(*catalog.parts[tp], first)
    _collect(catalog, starts, rows, limit, size, found)
    return found


def _collect(
    catalog: Catalog, starts: Mapping[int, int], rows: Sequence[Sequence[Any]], limit: int, size: int, found: Found
) -> None:
    found.records = {tp: [] for tp in starts}
    open_ = {tp: got for tp, got in found.records.items() if tp not in found.ill}
    for pos, tp, key, time, head, data, crc in rows:
        got = open_.get(tp)
        if got is None or pos < starts[tp]:
            continue
        if seal(0, tp, time, key, head, data) != crc:
            found.ill[tp] = Corrupt(*catalog.parts.get(tp, Partition("?", tp)), pos)
            del open_[tp]
            continue
        got.append(Record(pos, time, key, head, data))
        size -= len(head) + (len(data) if data is not None else 0)
        if size <= 0:
            found.end, found.whole = pos + 1, False
            return
    if len(rows) >= limit:
        found.end, found.whole = rows[-1][0] + 1, False
