"""What is declared: topics, their partitions by number, tables of rows. A Catalog is a snapshot and never changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

from tidings.engine.port import Topic
from tidings.engine.postgres.sql import quoted
from tidings.engine.unit import Partition, Value
from tidings.errors import Refused, did_you_mean

TYPES = {
    "text": 'text collate "C"',
    "integer": "bigint",
    "real": "double precision",
    "blob": "bytea",
    "numeric": "numeric",
    "json": "text",  # as it was written, to the byte
    "timestamp": 'text collate "C"',  # as it was written: texts in UTC sort as moments do
    "boolean": "smallint",
}


def _number(value: Decimal) -> Value:
    """As every engine hands it out: a whole number, a float where that is exact in decimals, else text."""
    if value.is_finite() and value == value.to_integral_value() and abs(value) < WHOLE:
        return int(value)
    return float(value) if len(value.normalize().as_tuple().digits) <= DIGITS else str(value)


def _moment(value: str) -> Value:
    """A moment that was written as a number comes back as one."""
    return int(value) if value.removeprefix("-").isdigit() else value


READ: Mapping[str, Callable[[Any], Value]] = {"numeric": _number, "timestamp": _moment}
WHOLE, DIGITS = 1 << 63, 15  # what an integer of SQL and the decimals of a float can hold
BARE = {name: kind.split(" collate")[0] for name, kind in TYPES.items()}


@dataclass(frozen=True)
class RowTable:
    """One table of rows and its statements. `_version` is tidings' own column, the last one."""

    name: str
    columns: Sequence[tuple[str, str]]

    @cached_property
    def names(self) -> Sequence[str]:
        return tuple(name for name, _ in self.columns)

    @cached_property
    def key_type(self) -> str:
        return BARE[self.columns[0][1]]

    @cached_property
    def create(self) -> bytes:
        columns = ", ".join(f"{quoted(name)} {TYPES[kind]}" for name, kind in self.columns)
        made = f"create table {self._name} ({columns}, _version bigint not null, primary key({self._key}))"
        return made.encode()

    @cached_property
    def get(self) -> bytes:
        return f"select * from {self._name} where {self._key} = any(%s::text[]::{self.key_type}[])".encode()

    @cached_property
    def page(self) -> bytes:
        """In the order of keys as texts, whatever type the key has."""
        key = self._key if self.key_type == "text" else f'({self._key}::text collate "C")'
        return f"select * from {self._name} where {key} > %s order by {key} limit %s".encode()

    def row(self, found: Sequence[Any]) -> tuple[int, Sequence[Value]]:
        """(version, values) of a row that `get` or `page` found."""
        values = list(found[:-1])
        for n, read in self._reads:
            if values[n] is not None:
                values[n] = read(values[n])
        return found[-1], values

    @cached_property
    def _reads(self) -> Sequence[tuple[int, Callable[[Any], Value]]]:
        return [(n, READ[kind]) for n, (_, kind) in enumerate(self.columns) if kind in READ]

    @cached_property
    def clear(self) -> bytes:
        return f"delete from {self._name}".encode()

    @cached_property
    def _name(self) -> str:
        return quoted(self.name)

    @cached_property
    def _key(self) -> str:
        return quoted(self.columns[0][0])


@dataclass(frozen=True)
class Catalog:
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


def catalog_of(
    topics: Sequence[Sequence[object]], parts: Sequence[Sequence[object]], tables: Sequence[Sequence[object]]
) -> Catalog:
    """From the rows of the statements of these names."""
    catalog = Catalog()
    for name, *rest, identity in topics:
        catalog.topics[str(name)] = Topic(str(name), *rest)  # type: ignore[arg-type]
        catalog.identities[str(name)] = str(identity)
    for tp, topic, number, born in parts:
        assert isinstance(tp, int) and isinstance(number, int) and isinstance(born, int)
        catalog.tps.setdefault(str(topic), {})[number] = tp
        catalog.parts[tp] = Partition(str(topic), number)
        catalog.born[tp] = born
    for name, columns in tables:
        assert isinstance(columns, list)
        catalog.tables[str(name)] = RowTable(str(name), tuple((n, kind) for n, kind in columns))
    return catalog
