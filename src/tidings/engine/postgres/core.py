"""What the parts of one open engine share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tidings.clock import Clock
from tidings.engine.ages import Ages
from tidings.engine.port import Topic
from tidings.engine.postgres.catalog import Catalog, RowTable, catalog_of
from tidings.engine.postgres.horizon import Horizon
from tidings.engine.postgres.pool import Pool, closed, run
from tidings.engine.postgres.waking import FLOOR, Waking
from tidings.engine.unit import Partition
from tidings.engine.wake import Wake
from tidings.errors import Refused


@dataclass
class Core:
    url: str
    clock: Clock
    pool: Pool
    users: Pool
    waking: Waking
    horizon: Horizon  # of the log
    lines: Horizon  # of the ledger's lines
    wake: Wake  # a commit was seen
    roster: Wake  # a member came or went
    ages: Ages
    lease: float
    beat: float
    identity: str
    poll_floor: float = FLOOR
    catalog: Catalog = field(default_factory=Catalog)
    seats: dict[tuple[str, str], int] = field(default_factory=dict)  # of this engine, with their locks

    closed: bool = False  # new calls are refused, what is in flight is answered

    async def all(self, statement: str, /, **values: Any) -> list[Any]:
        if self.closed:
            raise closed()
        return await self.pool.all(statement, **values)

    # ---- what is declared ----

    async def refresh(self) -> Catalog:
        async with self.pool.transaction() as c:
            rows = [await run(c, name) for name in ("topics", "parts", "tables")]
        self.catalog = catalog_of(*rows)
        return self.catalog

    async def tp(self, partition: Partition) -> int:
        try:
            return self.catalog.tp(partition)
        except Refused:
            return (await self.refresh()).tp(partition)

    async def tps(self, partitions: Sequence[Partition]) -> list[int]:
        return [await self.tp(partition) for partition in partitions]

    async def topic(self, name: str) -> Topic:
        try:
            return self.catalog.topic(name)
        except Refused:
            return (await self.refresh()).topic(name)

    async def table(self, name: str) -> RowTable:
        try:
            return self.catalog.table(name)
        except Refused:
            return (await self.refresh()).table(name)

    async def part(self, tp: int) -> Partition:
        if tp not in self.catalog.parts:
            await self.refresh()
        return self.catalog.parts[tp]
