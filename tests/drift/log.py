"""The log: rows in commit order, read up to the settled horizon, so that nothing appears below what was handed out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence

from tests.drift.catalog import Catalog
from tests.drift.commits import Commits
from tests.drift.connections import Connections, run
from tests.drift.reader import LEASE, PgReader
from tidings.clock import MICRO, Clock
from tidings.engine.port import Extent, Reader, Seated, Topic
from tidings.engine.unit import Batch, Committed, Event, Failed, Mark, Partition, Record, Unit, Unknown
from tidings.engine.wake import Wake

SIZE = 8 << 20


class PgLog:
    def __init__(self, connections: Connections, catalog: Catalog, commits: Commits, clock: Clock, wake: Wake) -> None:
        self.connections, self.catalog, self.clock, self.wake = connections, catalog, clock, wake
        self._commits = commits
        self._settled = 0
        self._settling = asyncio.Lock()
        self.seats: set[tuple[str, str]] = set()

    async def declare(self, topics: Sequence[Topic]) -> None:
        await self.catalog.declare(topics)

    async def topics(self) -> Sequence[Topic]:
        await self.catalog.refresh()
        return list(self.catalog.topics.values())

    async def join(self, group: str, topics: Sequence[str], member: str) -> Reader:
        await self.catalog.needs(topics)
        reader = PgReader(self, group, self.catalog.partitions(topics), member)
        await reader.beat()
        return reader

    async def members(self, group: str | None = None) -> Sequence[Seated]:
        since = self.clock.now() - int(LEASE * MICRO)
        rows = await self.connections.all("members", group=group)
        return [Seated(name, member, beat > since, beat) for name, member, beat in rows]

    # ---- records ----

    async def settle(self) -> int:
        """The horizon: note the highest position h, then draw an own transaction number X; when nothing older than X is
        running, everything up to h is committed or dead. Three statements, three snapshots."""
        async with self._settling, self.connections.one() as c:
            async with c.pipeline():
                cursors = [await c.execute(sql) for sql in (HEAD, XID, OLDEST)]
            (head,), (mine,), (oldest,) = [await cursor.fetchone() or (0,) for cursor in cursors]
            while head > self._settled and oldest < mine:
                await asyncio.sleep(0)  # as long as another commit takes
                ((oldest,),) = await run(c, "oldest")
            self._settled = max(self._settled, head)
            return self._settled

    async def scan(
        self, start: Mapping[Partition, int], cursor: int, limit: int, size: int
    ) -> tuple[dict[Partition, list[Record]], int]:
        """Records at or after these offsets, from the cursor on; and where nothing below was left out."""
        head = await self.settle()
        if cursor > head or not start:
            return {}, max(cursor, head + 1)
        tps = [self.catalog.tps[part] for part in start]
        rows = await self.connections.all("scan", first=cursor, last=head, tps=tps, limit=limit)
        found: dict[Partition, list[Record]] = {}
        for pos, tp, key, time, content, data in rows:
            part, size = self.catalog.parts[tp], size - len(content) - len(data or b"") - len(key or b"")
            if found and size < 0:
                return found, pos
            if pos >= start[part]:
                found.setdefault(part, []).append(Record(pos, time, key, content, data))
        return found, rows[-1][0] + 1 if len(rows) == limit else head + 1

    async def read(self, start: Mapping[Partition, int], limit: int) -> Sequence[Batch]:
        await self.catalog.needs([part.topic for part in start])
        found, end = await self.scan(start, min(start.values(), default=0), limit, SIZE)
        return [Batch(part, 0, records, end) for part, records in found.items()]

    async def send(self, events: Sequence[Event], marks: Sequence[Mark] = ()) -> Sequence[int | Failed | Unknown]:
        answer = (await self._commits.commit([Unit(events=events, receipt=True)]))[0]
        if isinstance(answer, Committed):
            return [offset for _, _, offset in json.loads(answer.receipt)]
        assert isinstance(answer, Failed | Unknown)
        return [answer] * len(events)

    # ---- places ----

    async def extents(self, topics: Sequence[str]) -> Sequence[Extent]:
        await self.catalog.needs(topics)
        end, sizes = await self.settle() + 1, dict(await self.connections.all("sizes"))
        return [
            Extent(part, 0, end, sizes.get(self.catalog.tps[part], 0), str(self.catalog.tps[part]))
            for part in self.catalog.partitions(topics)
        ]

    async def at(self, topic: str, time: int) -> Mapping[Partition, int]:
        await self.catalog.needs([topic])
        end, firsts = await self.settle() + 1, dict(await self.connections.all("first_at", time=time))
        return {part: firsts.get(self.catalog.tps[part], end) for part in self.catalog.partitions([topic])}

    async def lag(self, at: Mapping[Partition, int]) -> Mapping[Partition, int]:
        tps = [await self.catalog.tp(part) for part in at]
        rows = await self.connections.all("lag", tps=tps, ats=list(at.values()))
        return {self.catalog.parts[tp]: count for tp, count in rows}

    async def sweep(self, limit: int) -> int:
        """Retention drops partitions of the table, and is not brought here (Capabilities.sweeps)."""
        await self.connections.all("head")
        return 0


HEAD, XID, OLDEST = (
    b"select coalesce(max(pos), 0) from log",
    b"select pg_current_xact_id()::text::bigint",
    b"select pg_snapshot_xmin(pg_current_snapshot())::text::bigint",
)
