"""What is declared in the file: topics, their partitions by number, tables of rows.

A Catalog is a snapshot and never changes; the writer's thread and the loop each swap theirs when the file's
`declared` number has risen (another process may have declared something).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import apsw

from tidings.engine.port import Topic
from tidings.engine.sqlite.sql import SQL, quoted, value_of
from tidings.engine.unit import Partition
from tidings.errors import Refused, did_you_mean

TYPES = {
    "text": "text",
    "integer": "integer",
    "real": "real",
    "blob": "blob",
    "numeric": "numeric",
    "json": "json text",
    "timestamp": "timestamp blob",  # the affinity of blob: kept as it was given
    "boolean": "boolean integer",
}
"""Of the portable types, what SQLite shall make of them: it derives the affinity from the words in a type's name."""


@dataclass(frozen=True)
class RowTable:
    """One table of rows and its statements. `_version` is tidings' own column, the last one."""

    name: str
    columns: Sequence[tuple[str, str]]

    @cached_property
    def create(self) -> str:
        columns = ", ".join(f"{quoted(name)} {TYPES[kind]}" for name, kind in self.columns)
        return (
            f"create table {self._name} ({columns}, _version integer not null, primary key({self._key})) without rowid"
        )

    @cached_property
    def version(self) -> str:
        return f"select _version from {self._name} where {self._key} = ?"

    @cached_property
    def get(self) -> str:
        return f"select * from {self._name} where {self._key} = ?"

    @cached_property
    def page(self) -> str:
        """In the order of keys as texts, whatever type the key has."""
        key = self._key if self.columns[0][1] in ("text", "json", "timestamp") else f"cast({self._key} as text)"
        return f"select * from {self._name} where {key} > ? order by {key} limit ?"

    @cached_property
    def put(self) -> str:
        return f"insert or replace into {self._name} values ({', '.join('?' * (len(self.columns) + 1))})"

    @cached_property
    def drop(self) -> str:
        return f"delete from {self._name} where {self._key} = ?"

    @cached_property
    def clear(self) -> str:
        return f"delete from {self._name}"

    @cached_property
    def _name(self) -> str:
        return quoted(self.name)

    @cached_property
    def _key(self) -> str:
        return quoted(self.columns[0][0])


@dataclass(frozen=True)
class Catalog:
    declared: int
    topics: dict[str, Topic] = field(default_factory=dict)
    identities: dict[str, str] = field(default_factory=dict)
    tps: dict[str, dict[int, int]] = field(default_factory=dict)
    parts: dict[int, Partition] = field(default_factory=dict)
    born: dict[int, int] = field(default_factory=dict)
    tables: dict[str, RowTable] = field(default_factory=dict)

    def topic(self, name: str) -> Topic:
        if name not in self.topics:
            raise Refused(f"no topic {name!r} was declared", hint=did_you_mean(name, self.topics))
        return self.topics[name]

    def tp(self, partition: Partition) -> int:
        tps = self.tps[self.topic(partition.topic).name]
        if partition.number not in tps:
            raise Refused(f"topic {partition.topic!r} has no partition {partition.number}", hint=f"it has {len(tps)}")
        return tps[partition.number]

    def table(self, name: str) -> RowTable:
        if name not in self.tables:
            raise Refused(f"no table {name!r} was declared", hint=did_you_mean(name, self.tables))
        return self.tables[name]


def read_catalog(c: apsw.Connection) -> Catalog:
    """Within a transaction of the caller's, or where a stale part does no harm: `declared` is read first."""
    catalog = Catalog(int(value_of(c, SQL["meta"], ("declared",))))
    for name, partitions, keep, keep_bytes, compact, hold, identity in c.execute(SQL["topics"]):
        catalog.topics[name] = Topic(name, partitions, keep, keep_bytes, bool(compact), bool(hold))
        catalog.identities[name] = identity
    for tp, topic, number, born in c.execute(SQL["parts"]):
        catalog.tps.setdefault(topic, {})[number] = tp
        catalog.parts[tp] = Partition(topic, number)
        catalog.born[tp] = born
    for name, columns in c.execute(SQL["tables"]):
        catalog.tables[name] = RowTable(name, tuple((n, kind) for n, kind in json.loads(columns)))
    return catalog
