"""The store: claims, states, receipts, what people are told, and what operators do."""

from __future__ import annotations

import getpass
import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from tests.drift.catalog import Catalog
from tests.drift.commits import Commits, named
from tests.drift.connections import SQL, Connection, Connections, closed, run
from tests.drift.reader import FLOOR
from tidings.clock import MICRO, Clock
from tidings.engine.ages import Ages
from tidings.engine.port import Act, Progress, Table
from tidings.engine.receipts import Offset, read_receipt
from tidings.engine.unit import (
    Address,
    Answer,
    Claim,
    Handling,
    Held,
    History,
    Mark,
    Memo,
    Note,
    Partition,
    Snapshot,
    Stored,
    Timer,
    Unit,
    Value,
)
from tidings.engine.wake import Wake
from tidings.errors import Refused

T = TypeVar("T")
EVER = 1 << 62

RECEIPT = msgspec.json.Decoder(list[tuple[str, Offset, Offset]])


class PgStore:
    def __init__(
        self, connections: Connections, catalog: Catalog, commits: Commits, clock: Clock, wake: Wake, ages: Ages
    ) -> None:
        self._connections, self._catalog, self._commits = connections, catalog, commits
        self._clock, self._wake, self._ages = clock, wake, ages
        self._changed = wake.ticket()
        self._all = connections.all

    async def now(self) -> int:
        return self._clock.now()

    async def commit(self, units: Sequence[Unit]) -> Sequence[Answer]:
        return await self._commits.commit(units)

    # ---- groups ----

    async def claim(self, group: str, member: str, start: Mapping[Partition, int]) -> Sequence[Claim]:
        await self._catalog.needs([part.topic for part in start])
        tps = [self._catalog.tps[part] for part in start]
        await self._all("claim", group=group, member=member, tps=tps, ats=list(start.values()))
        self._connections.told()
        return [claim for claim in await self._claims([(group, part) for part in start]) if claim is not None]

    async def _claims(self, places: Sequence[tuple[str, Partition]]) -> list[Claim | None]:
        found: list[Claim | None] = [None] * len(places)
        rows = await self._all("claims", **await self._places(places))
        for o, epoch, at, held_gen, tries, paused, marks, muted in rows:
            stamps = tuple(Mark(source, *rest) for source, rest in marks.items())
            group, part = places[o - 1]
            found[o - 1] = Claim(group, part, epoch, at, held_gen, tries, paused, stamps, muted)
        return found

    async def _places(self, places: Sequence[tuple[str, Partition]]) -> dict[str, Any]:
        await self._catalog.needs([part.topic for _, part in places])
        return {"groups": [group for group, _ in places], "tps": [self._catalog.tps[part] for _, part in places]}

    async def _of(self, claims: Sequence[Claim]) -> dict[str, Any]:
        return await self._places([(claim.group, claim.partition) for claim in claims])

    async def renew(self, claims: Sequence[Claim]) -> Sequence[Claim | None]:
        now = await self._claims([(claim.group, claim.partition) for claim in claims])
        return [new if new and new.epoch == old.epoch else None for old, new in zip(claims, now, strict=True)]

    async def release(self, claims: Sequence[Claim]) -> None:
        await self._all("release", **await self._of(claims), epochs=[claim.epoch for claim in claims])

    async def held(self, claims: Sequence[Claim], due: int | None, limit: int) -> Sequence[Held]:
        rows = await self._all("held", **await self._of(claims), due=due, limit=limit)
        return [Held(self._catalog.parts[tp], *rest) for tp, *rest in rows]

    async def timers(self, claims: Sequence[Claim], limit: int) -> Sequence[Timer]:
        rows = await self._all("timers", **await self._of(claims), limit=limit)
        return [Timer(self._catalog.parts[tp], *rest) for tp, *rest in rows]

    # ---- state ----

    async def load(
        self, addresses: Sequence[Address], fingerprint: str = "", to: int | None = None
    ) -> Sequence[History]:
        """All streams of a batch in one statement."""
        rows = await self._all(
            "load", spaces=[a.space for a in addresses], keys=[a.key for a in addresses], fingerprint=fingerprint,
            to=EVER if to is None else to,
        )  # fmt: skip
        events: list[list[Stored]] = [[] for _ in addresses]
        versions: dict[int, int] = {}
        snapshots: dict[int, tuple[int, bytes]] = {}
        for o, version, taken, data, *stored in rows:
            versions[o - 1] = version
            if taken is not None:
                snapshots[o - 1] = (taken, data)
            if stored[0] is not None:
                events[o - 1].append(Stored(*stored))
        return [History(a, versions.get(n, 0), events[n], snapshots.get(n)) for n, a in enumerate(addresses)]

    async def keep(self, snapshots: Sequence[Snapshot]) -> None:
        for s in snapshots:
            values = {"version": s.version, "fingerprint": s.fingerprint, "data": s.data, "now": self._clock.now()}
            await self._all("keep", space=s.address.space, key=s.address.key, **values)

    async def streams(self, space: str, after: str, limit: int) -> Sequence[tuple[str, int]]:
        return [(key, version) for key, version in await self._all("streams", space=space, after=after, limit=limit)]

    async def spaces(self) -> Sequence[str]:
        return [space for (space,) in await self._all("spaces")]

    async def tables(self, tables: Sequence[Table]) -> None:
        await self._catalog.declare_tables(tables)

    async def rows(self, addresses: Sequence[Address]) -> Sequence[tuple[int, Sequence[Value]] | None]:
        await self._catalog.needs(tables=[address.space for address in addresses])
        found: dict[Address, tuple[int, Sequence[Value]]] = {}
        async with self._connections.one() as c:
            for space in {address.space for address in addresses}:
                key = self._catalog.columns[space][0]
                keys = [address.key for address in addresses if address.space == space]
                cursor = await c.execute(f'select * from "{space}" where "{key}" = any(%s)'.encode(), [keys])
                found |= {Address(space, row[0]): _row(row) for row in await cursor.fetchall()}
        return [found.get(address) for address in addresses]

    async def page(self, space: str, after: str, limit: int) -> Sequence[tuple[int, Sequence[Value]]]:
        await self._catalog.needs(tables=[space])
        key = self._catalog.columns[space][0]
        async with self._connections.one() as c:
            sql = f'select * from "{space}" where "{key}" > %s order by "{key}" limit %s'
            return [_row(row) for row in await (await c.execute(sql.encode(), [after, limit])).fetchall()]

    async def script(self, name: str, sql: str) -> Sequence[str]:
        async with self._connections.one() as c, c.transaction():
            there = await run(c, "script", name=name)
            if there and there[0][0] != sql:
                raise Refused(f"script {name!r} ran with other words", hint="give a new script a new name")
            if there:
                return list(there[0][1])
            before = await run(c, "tables_there")
            await c.execute(sql.encode())
            made = sorted(table for (table,) in set(await run(c, "tables_there")) - set(before))
            await run(c, "script_ran", name=name, sql=sql, made=Jsonb(made))
            return made

    async def query(self, sql: str, parameters: Mapping[str, Value]) -> Sequence[Sequence[Any]]:
        try:
            async with self._connections.one() as c, c.transaction():
                await c.execute("set transaction read only")
                return await (await c.execute(named(sql), dict(parameters))).fetchall()
        except psycopg.Error as error:
            raise Refused(str(error), hint="a query only reads") from error

    # ---- waiting ----

    async def reached(self, group: str, receipt: str, within: float) -> bool:
        told = read_receipt(receipt, RECEIPT) if receipt else []
        places = [(await self._catalog.tp(Partition(topic, n)), at) for topic, n, at in told]

        async def look() -> bool:
            tps, offs = [tp for tp, _ in places], [at for _, at in places]
            return not await self._all("reached", group=group, tps=tps, offs=offs)

        return await self._until(look, within)

    async def memo(self, scope: str, id: bytes, within: float = 0.0) -> Memo | None:
        async def look() -> Memo | None:
            rows = await self._all("memo", scope=scope, id=id)
            return Memo(*rows[0]) if rows else None

        return await self._until(look, within)

    async def _until(self, look: Callable[[], Awaitable[T]], within: float) -> T:
        end = self._clock.monotonic() + within
        while True:
            ticket = self._wake.ticket()
            found = await look()
            left = end - self._clock.monotonic()
            if found or left <= 0:
                return found
            await self._wake.wait(ticket, min(left, FLOOR))

    def changed(self, within: float | None = None) -> Coroutine[Any, Any, None]:
        ticket = self._changed

        async def wait() -> None:
            await self._wake.wait(ticket, within)
            self._changed = self._wake.ticket()
            if self._connections.closed:
                raise closed()

        return wait()

    # ---- for people ----

    async def tallies(self, group: str) -> Mapping[str, int]:
        return dict(await self._all("tallies", group=group))

    async def notes(self, group: str | None, limit: int) -> Sequence[Note]:
        rows = await self._all("notes", group=group, limit=limit)
        return [Note(self._catalog.parts[tp], *rest) for tp, *rest in rows]

    async def handled(self, partition: Partition, offset: int) -> Sequence[Handling]:
        rows = await self._all("handled", tp=await self._catalog.tp(partition), offset=offset)
        return [Handling(group, partition, *rest) for group, *rest in rows]

    async def ledger(self, group: str, after: int, limit: int) -> Sequence[tuple[int, Handling]]:
        rows = await self._all("ledger", group=group, after=after, limit=limit)
        return [(number, Handling(group, self._catalog.parts[tp], *rest)) for number, tp, *rest in rows]

    async def acts(self, limit: int) -> Sequence[Act]:
        return [Act(*row) for row in await self._all("acts", limit=limit)]

    async def purge(self, limit: int) -> int:
        left = limit
        for name in ("once", "notes", "handled", "snapshots"):
            before = self._clock.now() - int(getattr(self._ages, name) * MICRO)
            async with self._connections.one() as c:
                cursor = await c.execute(_purge(name), {"before": before, "limit": left})
                left -= cursor.rowcount
        return limit - left

    # ---- operators ----

    async def progress(self, group: str | None = None) -> Sequence[Progress]:
        rows = await self._all("progress", group=group)
        found = [Progress(name, self._catalog.parts[tp], *rest) for name, tp, *rest in rows]
        return sorted(found, key=lambda row: (row.group, row.partition))

    async def move(
        self, group: str, to: Mapping[Partition, int], clear: Sequence[str] = (), *, muted: bool = False
    ) -> None:
        await self._catalog.needs([part.topic for part in to], clear)
        async with self._connections.one() as c, c.transaction():
            for part, at in sorted(to.items()):
                place = {"group": group, "tp": self._catalog.tps[part]}
                await run(c, "move", **place, at=at, muted=muted)
                await run(c, "move_held", **place)
                await run(c, "move_timers", **place)
            for table in clear:
                await c.execute(f'delete from "{table}"'.encode())
                await run(c, "forget_rows", space=table)
            names = {_name(part): at for part, at in to.items()}
            await self._act(c, "reset", group, to=names, clear=list(clear), muted=muted)
        self._connections.told()

    async def set_paused(self, group: str, partitions: Sequence[Partition], reason: str | None) -> None:
        tps = [await self._catalog.tp(part) for part in partitions]
        async with self._connections.one() as c, c.transaction():
            known = await run(c, "pause", group=group, tps=tps, reason=reason)
            names = [_name(self._catalog.parts[tp]) for (tp,) in known]
            await self._act(c, "pause" if reason is not None else "resume", group, partitions=names, reason=reason)
        self._connections.told()

    async def redrive(self, group: str, partition: Partition, key: bytes | None, drop: bool) -> int:
        place = {"group": group, "tp": await self._catalog.tp(partition)}
        async with self._connections.one() as c, c.transaction():
            offsets = [offset for (offset,) in await run(c, "parked", **place, key=key)]
            await run(c, "drop" if drop else "redrive", **place, offsets=offsets, now=self._clock.now())
            if offsets:
                await run(c, "touched", **place)
            act = "drop" if drop else "redrive"
            await self._act(c, act, group, partition=_name(partition), key=_shown(key), offsets=offsets)
        self._connections.told()
        return len(offsets)

    async def remove(self, group: str) -> None:
        async with self._connections.one() as c, c.transaction():
            for name in ("end", "end_progress", "end_held", "end_timers", "end_tallies"):
                await run(c, name, group=group)
            await self._act(c, "remove", group)
        self._connections.told()

    async def _act(self, c: Connection, act: str, group: str, **detail: object) -> None:
        values = {"now": self._clock.now(), "who": getpass.getuser(), "detail": json.dumps(detail)}
        await run(c, "act", **values, act=act, group=group)


def _purge(name: str) -> bytes:
    return SQL[f"purge_{name}"].encode()


def _row(row: Sequence[Any]) -> tuple[int, Sequence[Value]]:
    values = [int(value) if isinstance(value, Decimal) and value == int(value) else value for value in row]
    return row[-1], [float(value) if isinstance(value, Decimal) else value for value in values[:-1]]


def _name(part: Partition) -> str:
    return f"{part.topic}/{part.number}"


def _shown(key: bytes | None) -> str | None:
    return None if key is None else key.decode("utf-8", "backslashreplace")
