"""A message becomes an event of the log: id, head with its cause, key, partition, bytes.

The flow is carried by itself: correlation and trace come from the cause, causation is the cause's id. Without a cause a
flow begins, and its correlation is the id of its first event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from tidings.engine.unit import Address, Event
from tidings.event.envelope import Head, pack
from tidings.event.identity import new_id, new_ids
from tidings.event.partition import partition_of


class Way(Struct, frozen=True):
    """How messages of one type travel. `topic` None: private to their stream. `kind`: 0 event, 1 command, 2
    internal."""

    name: str
    version: int
    kind: int
    topic: str | None
    partitions: int
    encode: Callable[[Any], bytes]
    key: Callable[[Any], bytes | None]
    outcomes: frozenset[str] = frozenset()  # names that answer it, where it is a command


class Outgoing:
    """Makes events for one source (a service, or the outside)."""

    def __init__(self, source: str, ways: Mapping[type, Way]) -> None:
        self.source = source
        self.ways = ways

    def event(
        self,
        message: Any,
        now: int,
        cause: Head | None = None,
        *,
        stream: Address | None = None,
        id: bytes | None = None,
        reply: bool = False,
        saga: str = "",
        trace: str = "",
    ) -> Event:
        way = self.ways[type(message)]
        made = id or new_id()
        if cause is None:
            correlation, causation = made, b""
        else:
            correlation, causation = cause.correlation, cause.id
            if cause.trace:
                trace = follow(cause.trace, made)
            if cause.saga and not saga and way.kind == 0:
                saga = cause.saga
        head = Head(made, way.name, way.version, now, self.source, correlation, causation, way.kind, trace, reply, saga)
        key = way.key(message)
        partition = partition_of(key, way.partitions) if key is not None else made[15] % way.partitions
        return Event(way.topic, partition, key, made, pack(head), way.encode(message), stream)

    def events(self, messages: Sequence[Any], now: int, trace: str = "") -> list[Event]:
        """Several at once, each the beginning of a flow of its own."""
        return [self.event(m, now, id=id, trace=trace) for m, id in zip(messages, new_ids(len(messages)), strict=True)]


def follow(trace: str, id: bytes) -> str:
    """A foreign traceparent, handed on: same trace and flags, the event as the new parent."""
    return f"{trace[:36]}{id[8:].hex()}{trace[52:]}"
