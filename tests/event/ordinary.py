"""Messages in a module without `from __future__ import annotations`: their annotations are types, not text."""

from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, NewType
from uuid import UUID

from tidings import Command, Event, Key, Topic

parcels = Topic("parcels")
Name = NewType("Name", str)


class Colour(Enum):
    RED = "red"


class ParcelEvent(Event, topic=parcels):
    order_id: Key[str]


class Shipped(ParcelEvent):
    carrier: str = "post"


class Lost(ParcelEvent):
    reason: str


class Ship(Command[Shipped, Lost]):
    order_id: Key[str]


def keyed(kind: Any) -> type[Event]:
    class Keyed(Event, topic=parcels):
        key: Key[kind]

    return Keyed


KEYED: dict[str, type[Event]] = {
    "str": keyed(Name),
    "int": keyed(int),
    "UUID": keyed(UUID),
    "date": keyed(date),
    "datetime": keyed(datetime),
    "Decimal": keyed(Decimal),
    "bytes": keyed(bytes),
    "Colour": keyed(Colour),
    "Literal": keyed(Literal["a", "b"]),
}
