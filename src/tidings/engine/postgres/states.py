"""States: streams with their snapshots, rows, users' own tables and SELECTs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from tidings.engine.port import Table
from tidings.engine.postgres.catalog import TYPES, RowTable
from tidings.engine.postgres.core import Core
from tidings.engine.postgres.guard import check, check_script, named
from tidings.engine.postgres.packing import jsonb
from tidings.engine.postgres.pool import Connection, run
from tidings.engine.postgres.seal import seal
from tidings.engine.unit import Address, History, Snapshot, Stored, Value
from tidings.errors import Corrupt, Refused, did_you_mean

EVER = 1 << 62


class States:
    """A part of the store."""

    def __init__(self, core: Core) -> None:
        self._core = core

    # ---- streams ----

    async def load(
        self, addresses: Sequence[Address], fingerprint: str = "", to: int | None = None
    ) -> Sequence[History]:
        """All streams of a batch in one statement."""
        values: dict[str, Any] = {
            "spaces": [a.space for a in addresses],
            "keys": [a.key for a in addresses],
            "to": EVER if to is None else to,
        }
        rows = await self._core.all("load", **values, fingerprint=fingerprint)
        damaged = {row[0] for row in rows if row[3] is not None and seal(row[3], 0, 0, None, row[4], None) != row[5]}
        if damaged:  # a cache: the events tell
            rows = await self._core.all("load", **values, fingerprint="")
        found: list[list[Sequence[Any]]] = [[] for _ in addresses]
        for row in rows:
            found[row[0] - 1].append(row)
        return [_history(address, mine) for address, mine in zip(addresses, found, strict=True)]

    async def keep(self, snapshots: Sequence[Snapshot]) -> None:
        async with self._core.pool.transaction() as c:
            for s in sorted(snapshots, key=lambda s: (s.address, s.fingerprint)):
                await run(
                    c, "keep", space=s.address.space, key=s.address.key, fingerprint=s.fingerprint, version=s.version,
                    data=s.data, now=self._core.clock.now(), crc=seal(s.version, 0, 0, None, s.data, None),
                )  # fmt: skip

    async def streams(self, space: str, after: str, limit: int) -> Sequence[tuple[str, int]]:
        rows = await self._core.all("streams", space=space, after=after, limit=limit)
        return [(key, version) for key, version in rows]

    async def spaces(self) -> Sequence[str]:
        return [name for (name,) in await self._core.all("spaces")]

    # ---- rows ----

    async def tables(self, tables: Sequence[Table]) -> None:
        wanted = [RowTable(table.name, tuple((str(n), str(kind)) for n, kind in table.columns)) for table in tables]
        await self._core.refresh()
        if all(self._core.catalog.tables.get(table.name) == table for table in wanted):
            return
        async with self._core.pool.transaction() as c:
            await run(c, "declaring")
            stored = {name: tuple((n, kind) for n, kind in columns) for name, columns in await run(c, "tables")}
            for table in wanted:
                if table.name in stored:
                    _same(table, stored[table.name])
                else:
                    await _create(c, table)
        await self._core.refresh()

    async def rows(self, addresses: Sequence[Address]) -> Sequence[tuple[int, Sequence[Value]] | None]:
        keys: dict[str, set[str]] = {}
        for address in addresses:
            keys.setdefault(address.space, set()).add(address.key)
        found: dict[Address, tuple[int, Sequence[Value]]] = {}
        tables = [await self._core.table(space) for space in keys]
        async with self._core.pool.one() as c:
            for table in tables:
                cursor = await c.execute(table.get, [sorted(keys[table.name])], binary=True)
                found |= {Address(table.name, str(row[0])): table.row(row) for row in await cursor.fetchall()}
        return [found.get(address) for address in addresses]

    async def page(self, space: str, after: str, limit: int) -> Sequence[tuple[int, Sequence[Value]]]:
        table = await self._core.table(space)
        async with self._core.pool.one() as c:
            rows = await (await c.execute(table.page, [after, limit], binary=True)).fetchall()
        return [table.row(row) for row in rows]

    # ---- users' SQL ----

    async def script(self, name: str, sql: str) -> Sequence[str]:
        check_script(sql)
        async with self._core.pool.transaction() as c:
            await run(c, "declaring")
            known = await run(c, "script", name=name)
            if known:
                if known[0][0] != sql:
                    raise Refused(
                        f"script {name!r} is not the one that was run in this schema",
                        hint="leave a script as it is once it has run; put what is new into another one, under its "
                        "own name",
                    )
                return tuple(known[0][1])
            before = set(await run(c, "schema_tables"))
            await c.execute(sql.encode())
            made = sorted(table for (table,) in set(await run(c, "schema_tables")) - before)
            await run(c, "script_put", name=name, sql=sql, made=jsonb(made))
            return made

    async def query(self, sql: str, parameters: Mapping[str, Value]) -> Sequence[Sequence[Any]]:
        check(sql, reads=True)
        try:
            async with self._core.users.one() as c:
                return await (await c.execute(named(sql), dict(parameters), prepare=True)).fetchall()
        except (LookupError, TypeError, ValueError, OverflowError, psycopg.ProgrammingError) as error:
            words = f"these parameters do not fit the statement: {error!r}"
            raise Refused(words, hint="name each one, as in :name, and give it a plain value") from error


def _history(address: Address, rows: Sequence[Sequence[Any]]) -> History:
    if not rows or rows[0][2] <= 0:
        return History(address, 0, ())
    version, taken, data = rows[0][2:5]
    events = []
    for *_, at, name, time, head, content, crc in rows:
        if at is None:
            continue
        if seal(0, 0, time, name, head, content) != crc:
            raise Corrupt(f"{address.space}/{address.key}", 0, at)
        events.append(Stored(at, name, time, head, content))
    return History(address, version, events, (taken, data) if taken is not None else None)


def _same(table: RowTable, stored: Sequence[tuple[str, str]]) -> None:
    if tuple(table.columns) != tuple(stored):
        raise Refused(
            f"table {table.name!r}: stored with {_columns(stored)}, declared with {_columns(table.columns)}",
            hint="give the changed rows a table of another name, and rebuild it from the events",
        )


async def _create(c: Connection, table: RowTable) -> None:
    for name, kind in table.columns:
        if kind not in TYPES:
            raise Refused(f"column {table.name}.{name}: no type {kind!r}", hint=did_you_mean(kind, TYPES))
    statement = table.create
    if (await run(c, "there", name=table.name))[0][0]:
        raise Refused(
            f"table {table.name!r} is in the schema, and is not tidings'", hint="give the rows a table of another name"
        )
    await c.execute(statement)
    await run(c, "table_put", name=table.name, columns=jsonb(table.columns))


def _columns(columns: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns)
