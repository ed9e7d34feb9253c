"""What is declared: topics, their partitions by number, and tables with their columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg.types.json import Jsonb

from tests.drift.connections import Connections, run
from tidings.engine.port import Table, Topic
from tidings.engine.unit import Partition, Unit
from tidings.errors import Refused, did_you_mean

TYPES = {
    "text": 'text collate "C"',
    "integer": "bigint",
    "real": "double precision",
    "blob": "bytea",
    "numeric": "numeric",
    "json": "text",  # as it was written, to the byte
    "timestamp": "bigint",
    "boolean": "smallint",
}


class Catalog:
    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self.topics: dict[str, Topic] = {}
        self.tps: dict[Partition, int] = {}
        self.parts: dict[int, Partition] = {}
        self.columns: dict[str, Sequence[str]] = {}

    async def refresh(self) -> None:
        async with self._connections.one() as c, c.transaction():
            topics, parts, declared = [await run(c, name) for name in ("topics", "parts", "declared")]
        self.topics = {name: Topic(name, *rest) for name, *rest in topics}
        self.tps = {Partition(topic, number): tp for tp, topic, number in parts}
        self.parts = {tp: part for part, tp in self.tps.items()}
        self.columns = {name: [column for column, _ in columns] for name, columns in declared}

    async def declare(self, topics: Sequence[Topic]) -> None:
        await self.refresh()
        for topic in topics:
            old = self.topics.get(topic.name, topic)
            if (old.partitions, old.compact) != (topic.partitions, topic.compact):
                raise Refused(
                    f"topic {topic.name!r}: stored with {_shape(old)}, declared with {_shape(topic)}",
                    hint="declare it as it is stored, or take another name",
                )
        async with self._connections.one() as c, c.transaction():
            for topic in topics:
                values = {
                    name: getattr(topic, name) for name in ("name", "partitions", "keep", "keep_bytes", "compact")
                }
                await run(c, "topic_declare", **values, hold=topic.hold_for_groups)
                await run(c, "parts_declare", name=topic.name, partitions=topic.partitions)
        await self.refresh()

    async def declare_tables(self, tables: Sequence[Table]) -> None:
        async with self._connections.one() as c, c.transaction():
            there = dict(await run(c, "declared"))
            for table in tables:
                columns = [list(column) for column in table.columns]
                if there.get(table.name, columns) != columns:
                    raise Refused(
                        f"table {table.name!r}: stored with {there[table.name]}, declared with {columns}",
                        hint="give it another name, and rebuild it",
                    )
                if table.name not in there:
                    await c.execute(_create(table).encode())
                    await run(c, "declare", name=table.name, columns=Jsonb(columns))
        await self.refresh()

    async def needs(self, topics: Sequence[str] = (), tables: Sequence[str] = ()) -> None:
        """Refused where one of them was never declared, here or elsewhere."""
        if not (set(topics) <= set(self.topics) and set(tables) <= set(self.columns)):
            await self.refresh()
        for kind, wanted, known in (("topic", topics, self.topics), ("table", tables, self.columns)):
            for name in wanted:
                if name not in known:
                    raise Refused(f"no {kind} {name!r} was declared", hint=did_you_mean(name, known))

    async def tp(self, part: Partition) -> int:
        await self.needs([part.topic])
        return self.tps[part]

    def partitions(self, topics: Sequence[str]) -> list[Partition]:
        return [Partition(name, n) for name in topics for n in range(self.topics[name].partitions)]

    def impossible(self, unit: Unit) -> str:
        """Why the unit can never be written; "" where it can."""
        for event in unit.events:
            if event.topic is not None and Partition(event.topic, event.partition) not in self.tps:
                return f"no partition {event.partition} of a topic {event.topic!r} was declared"
        for write in unit.writes:
            columns = self.columns.get(write.address.space)
            if columns is None or (write.values is not None and len(write.values) != len(columns)):
                return f"table {write.address.space!r} has no such row"
        return ""


def _create(table: Table) -> str:
    columns: list[Any] = [f'"{name}" {TYPES[kind]}' for name, kind in table.columns]
    key = table.columns[0][0]
    return f'create table "{table.name}" ({", ".join(columns)}, _version bigint not null, primary key("{key}"))'


def _shape(topic: Topic) -> str:
    return f"{topic.partitions} partitions{', compacted' if topic.compact else ''}"
