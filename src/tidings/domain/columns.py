"""A row class as a table: what each field is in SQL, and the way there and back, exact both ways.

    str text · int integer · float real · bool boolean (0, 1) · bytes blob · Decimal numeric (as text, exact)
    datetime timestamp (text, UTC, so that it sorts) · date, time, timedelta text (ISO 8601) · UUID text
    Enum its value · `T | None` the column of T, None is NULL · everything else json

The plan of a class is made once: a column whose value SQL can hold as it stands costs nothing on the way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any, Literal, TypeAlias, TypeVar, get_args, get_origin
from uuid import UUID

import msgspec

from tidings.domain.state import Row
from tidings.engine.port import Table
from tidings.engine.unit import Value
from tidings.errors import DefinitionError, Poison, TidingsError
from tidings.event.hints import bare, parts
from tidings.event.partition import decimal_text, key_text, moment_text

RowT = TypeVar("RowT", bound=Row)
Convert: TypeAlias = Callable[[Any], Any]
Way: TypeAlias = tuple[str, Convert | None, Convert | None]  # the column's type, and how to write and read it
_column = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,62}")
_json = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Column:
    """`write` and `read` are None where the value goes as it stands; neither is called with None."""

    name: str
    sql: str
    write: Convert | None
    read: Convert | None


@dataclass(frozen=True, slots=True)
class Plan:
    """`names`: in the order of the table, the key first. `writes`, `reads`: positions that need work, and the work."""

    table: Table
    names: tuple[str, ...]
    writes: tuple[tuple[int, Convert], ...]
    reads: tuple[tuple[int, Convert], ...]


def table_of(row_type: type[Row]) -> Table:
    """Its table. Raises DefinitionError where a field cannot be a column."""
    return plan_of(row_type).table


def to_values(row: Row) -> tuple[Value, ...]:
    """The row as its columns' values, in the order of its table. Raises Poison where a value does not fit its field."""
    plan = plan_of(type(row))
    values = [getattr(row, name) for name in plan.names]
    for at, write in plan.writes:
        if values[at] is not None:
            try:
                values[at] = write(values[at])
            except (
                TypeError,
                ValueError,
                AttributeError,
                ArithmeticError,
                msgspec.MsgspecError,
                TidingsError,
            ) as error:
                raise Poison(
                    f"{type(row).__name__}.{plan.names[at]} cannot be written: {error}",
                    hint=f"its column is {plan.table.columns[at][1]}",
                ) from error
    return tuple(values)


def from_values(row_type: type[RowT], values: Sequence[Value]) -> RowT:
    """The other way. Raises Poison where a column holds what its field cannot."""
    plan = plan_of(row_type)
    if len(values) != len(plan.names):
        raise Poison(f"{plan.table.name} has {len(values)} columns, {row_type.__name__} has {len(plan.names)} fields")
    if plan.reads:
        made = list(values)
        for at, read in plan.reads:
            if made[at] is not None:
                try:
                    made[at] = read(made[at])
                except (TypeError, ValueError, ArithmeticError, msgspec.MsgspecError) as error:
                    raise Poison(f"{plan.table.name}.{plan.names[at]} cannot be read: {error}") from error
        values = made
    return row_type(**dict(zip(plan.names, values, strict=True)))


@lru_cache(maxsize=1024)
def plan_of(row_type: type[Row]) -> Plan:
    """Read once from the class."""
    key = row_type.__key__
    try:
        fields = sorted(msgspec.structs.fields(row_type), key=lambda field: field.name != key)
    except NameError as missing:
        raise DefinitionError(
            f"{row_type.__name__}: {missing}", hint="define or import the type of this field"
        ) from None
    columns = [_column_of(row_type, field.name, field.type, field.name == key) for field in fields]
    if len({column.name.lower() for column in columns}) < len(columns):
        raise DefinitionError(
            f"{row_type.__name__} has two fields that differ only in upper and lower case",
            hint="SQL takes them for one column",
        )
    return Plan(
        Table(row_type.__space__, tuple((column.name, column.sql) for column in columns)),
        tuple(column.name for column in columns),
        tuple((at, column.write) for at, column in enumerate(columns) if column.write),
        tuple((at, column.read) for at, column in enumerate(columns) if column.read),
    )


def _column_of(row_type: type[Row], name: str, hint: Any, is_key: bool) -> Column:
    if not _column.fullmatch(name):
        raise DefinitionError(
            f"{row_type.__name__}.{name} cannot be a column", hint="a letter, then letters, digits and '_'"
        )
    members = [bare(part) for part in parts(bare(hint))]
    wanted = [member for member in members if member is not type(None)]
    sql, write, read = (_scalar(wanted[0]) if len(wanted) == 1 else None) or _document(row_type, hint)
    if is_key and sql in _key_texts:  # a row is found by the one text that equal keys have
        sql, write, read = _key_texts[sql]
    return Column(name, sql, write, read)


_scalars: dict[Any, Way] = {
    str: ("text", None, None),
    int: ("integer", None, None),
    float: ("real", None, float),
    bool: ("boolean", int, bool),
    bytes: ("blob", None, bytes),
    Decimal: ("numeric", str, lambda text: Decimal(str(text))),
    datetime: (
        "timestamp",
        moment_text,
        lambda text: text if isinstance(text, datetime) else datetime.fromisoformat(text),
    ),
    date: ("text", date.isoformat, date.fromisoformat),
    time: ("text", time.isoformat, time.fromisoformat),
    timedelta: ("text", msgspec.to_builtins, lambda text: msgspec.convert(text, timedelta)),
    UUID: ("text", str, lambda text: UUID(str(text))),
}


_key_texts: dict[str, Way] = {
    "numeric": ("numeric", decimal_text, _scalars[Decimal][2]),
    "blob": ("text", key_text, bytes.fromhex),
    "boolean": ("text", key_text, lambda text: text == "true"),
}


def _scalar(kind: Any) -> Way | None:
    """None where the type needs a document."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        found = _scalars.get(_common({member.value for member in kind}))
        return found and (found[0], lambda member: member.value, kind)
    if get_origin(kind) is Literal:
        return _scalars.get(_common(set(get_args(kind))))
    return _scalars.get(kind) if isinstance(kind, type) else None


def _common(values: set[Any]) -> type | None:
    """The type of all these values, where that is str or int."""
    return next((kind for kind in (str, int) if all(type(value) is kind for value in values)), None)


def _document(row_type: type, hint: Any) -> Way:
    try:
        decode = msgspec.json.Decoder(hint).decode
    except TypeError as wrong:
        raise DefinitionError(
            f"{row_type.__name__}: {wrong}", hint="a field must be of a type that JSON can hold"
        ) from None
    return "json", lambda value: _json.encode(value).decode(), decode


__all__ = ["Column", "Plan", "from_values", "key_text", "plan_of", "table_of", "to_values"]
