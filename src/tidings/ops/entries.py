"""A record of the log as people and tools read it: named by its envelope, its body as JSON, no program needed."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from tidings.clock import from_micro
from tidings.engine.unit import Held, Partition, Record, Stored
from tidings.errors import Poison
from tidings.event.envelope import Head, unpack
from tidings.event.identity import show

KindName: TypeAlias = Literal["event", "command", "internal"]
KINDS: tuple[KindName, ...] = ("event", "command", "internal")
NOTHING = msgspec.Raw(b"null")
_check = msgspec.json.Decoder().decode


class Entry(Struct, frozen=True):
    """`time`: when the log took it; `told`: when its producer made it. `data`: the body, JSON as it lies in the log
    (bytes that are no JSON: their text in a string). `unreadable`: why the envelope cannot be read, "" where it can."""

    topic: str
    partition: int
    offset: int
    time: datetime
    key: str | None
    id: str
    name: str
    version: int
    kind: KindName
    source: str
    told: datetime
    correlation: str
    causation: str | None
    saga: str
    data: msgspec.Raw
    unreadable: str = ""

    @property
    def place(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


def entry(part: Partition, record: Record | Held) -> Entry:
    """Never raises: what cannot be read is shown as far as it can be."""
    time, key, data = from_micro(record.time), key_shown(record.key), json_of(record.data)
    try:
        head = unpack(record.head)
    except Poison as error:
        return Entry(
            *part, record.offset, time, key, "", "?", 0, "event", "?", time, "", None, "", data, error.message
        )  # fmt: skip
    return Entry(
        *part, record.offset, time, key, show(head.id), head.name, head.version, kind_of(head), head.source,
        from_micro(head.time), show(head.correlation), show(head.causation) if head.causation else None, head.saga,
        data,
    )  # fmt: skip


class StreamEntry(Struct, frozen=True):
    """One event of a stream; `version` counts from 1."""

    version: int
    time: datetime
    id: str
    name: str
    schema: int
    source: str
    correlation: str
    causation: str | None
    data: msgspec.Raw
    unreadable: str = ""


def stream_entry(stored: Stored) -> StreamEntry:
    time, data = from_micro(stored.time), json_of(stored.data)
    try:
        head = unpack(stored.head)
    except Poison as error:
        return StreamEntry(stored.version, time, show(stored.id), "?", 0, "?", "", None, data, error.message)
    causation = show(head.causation) if head.causation else None
    correlation = show(head.correlation)
    return StreamEntry(
        stored.version, time, show(head.id), head.name, head.version, head.source, correlation, causation, data
    )


def kind_of(head: Head) -> KindName:
    return KINDS[head.kind] if 0 <= head.kind < len(KINDS) else "internal"


def key_shown(key: bytes | None) -> str | None:
    return None if key is None else key.decode("utf-8", "backslashreplace")


def json_of(data: bytes | None) -> msgspec.Raw:
    if data is None:
        return NOTHING
    try:
        _check(data)
    except (ValueError, RecursionError):
        return msgspec.Raw(msgspec.json.encode(data.decode("utf-8", "backslashreplace")))
    return msgspec.Raw(data)
