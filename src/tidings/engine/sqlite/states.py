"""States: streams with their snapshots, rows, users' own tables and SELECTs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import apsw

from tidings.engine.port import Table
from tidings.engine.sqlite.catalog import TYPES, RowTable, read_catalog
from tidings.engine.sqlite.core import Core
from tidings.engine.sqlite.guard import Guard
from tidings.engine.sqlite.seal import seal
from tidings.engine.sqlite.sql import SQL, row_of, rows_of
from tidings.engine.sqlite.turn import Turn
from tidings.engine.unit import Address, History, Snapshot, Stored, Value
from tidings.errors import Corrupt, Refused, did_you_mean


class States:
    """A part of the store."""

    def __init__(self, core: Core) -> None:
        self._core = core

    # ---- streams ----

    async def load(
        self, addresses: Sequence[Address], fingerprint: str = "", to: int | None = None
    ) -> Sequence[History]:
        with self._core.reads.snapshot() as c:
            return [_history(c, address, fingerprint, to) for address in addresses]

    async def keep(self, snapshots: Sequence[Snapshot]) -> None:
        def write(turn: Turn) -> None:
            for s in snapshots:
                crc = seal(s.version, 0, 0, None, s.data, None)
                values = (*s.address, s.fingerprint, s.version, s.data, turn.now, crc)
                turn.c.execute(SQL["snapshot_put"], values)

        await self._core.do(write)

    async def streams(self, space: str, after: str, limit: int) -> Sequence[tuple[str, int]]:
        return [(key, version) for key, version in self._core.reads.all(SQL["streams"], (space, after, limit))]

    async def spaces(self) -> Sequence[str]:
        return [name for (name,) in self._core.reads.all(SQL["spaces"])]

    # ---- rows ----

    async def tables(self, tables: Sequence[Table]) -> None:
        await self._core.do(lambda turn: _declare(turn, tables))
        self._core.reads.refresh()

    async def rows(self, addresses: Sequence[Address]) -> Sequence[tuple[int, Sequence[Value]] | None]:
        reads = self._core.reads
        statements = [reads.table(address.space).get for address in addresses]
        with reads.snapshot() as c:
            found = [row_of(c, sql, (a.key,)) for sql, a in zip(statements, addresses, strict=True)]
        return [(row[-1], row[:-1]) if row is not None else None for row in found]

    async def page(self, space: str, after: str, limit: int) -> Sequence[tuple[int, Sequence[Value]]]:
        table = self._core.reads.table(space)
        return [(row[-1], row[:-1]) for row in self._core.reads.all(table.page, (after, limit))]

    # ---- users' SQL ----

    async def script(self, name: str, sql: str) -> Sequence[str]:
        return await self._core.do(lambda turn: _script(turn, self._core.writer.guard, name, sql))

    async def query(self, sql: str, parameters: Mapping[str, Value]) -> Sequence[Sequence[Any]]:
        return await self._core.users.query(sql, parameters)


def _history(c: apsw.Connection, address: Address, fingerprint: str, to: int | None) -> History:
    row = row_of(c, SQL["stream"], address)
    if row is None:
        return History(address, 0, ())
    no, version = row
    last = version if to is None else min(to, version)
    snapshot = row_of(c, SQL["snapshot"], (*address, fingerprint, last))
    if snapshot is not None and seal(snapshot[0], 0, 0, None, snapshot[1], None) != snapshot[2]:
        snapshot = None  # a cache: the events tell
    events = []
    for at, name, time, head, data, crc in c.execute(SQL["stream_events"], (no, snapshot[0] if snapshot else 0, last)):
        if seal(no, at, time, name, head, data) != crc:
            raise Corrupt(f"{address.space}/{address.key}", 0, at)
        events.append(Stored(at, name, time, head, data))
    return History(address, version, events, (snapshot[0], snapshot[1]) if snapshot else None)


def _declare(turn: Turn, tables: Sequence[Table]) -> None:
    for table in tables:
        old = turn.catalog.tables.get(table.name)
        new = RowTable(table.name, tuple((str(name), str(kind)) for name, kind in table.columns))
        if old is not None and old.columns != new.columns:
            raise Refused(
                f"table {table.name!r}: stored with {_columns(old)}, declared with {_columns(new)}",
                hint="give the changed rows a table of another name, and rebuild it from the events",
            )
        if old is None:
            _create(turn, new)


def _create(turn: Turn, table: RowTable) -> None:
    for name, kind in table.columns:
        if kind not in TYPES:
            raise Refused(f"column {table.name}.{name}: no type {kind!r}", hint=did_you_mean(kind, TYPES))
    if turn.c.table_exists("main", table.name):
        raise Refused(
            f"table {table.name!r} is in the file, and is not tidings'", hint="give the rows a table of another name"
        )
    turn.c.execute(table.create)
    turn.c.execute(SQL["table_put"], (table.name, json.dumps(table.columns)))
    turn.c.execute(SQL["declared"])
    turn.catalog = read_catalog(turn.c)


def _columns(table: RowTable) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in table.columns)


def _script(turn: Turn, guard: Guard, name: str, sql: str) -> Sequence[str]:
    known = rows_of(turn.c, SQL["script"], (name,))
    if known:
        if known[0][0] != sql:
            raise Refused(
                f"script {name!r} is not the one that was run on this file",
                hint="leave a script as it is once it has run; put what is new into another one, under its own name",
            )
        return tuple(json.loads(known[0][1]))
    before = {row[0] for row in turn.c.execute(SQL["schema_tables"])}
    guard.run_script(sql)
    made = sorted({row[0] for row in turn.c.execute(SQL["schema_tables"])} - before)
    turn.c.execute(SQL["script_put"], (name, sql, json.dumps(made)))
    return made
