"""Units on their way into the commit function: conditions and effects as JSON, events as arrays packed by hand.

The driver's own dumping of lists is most of a commit's cost in Python, so each array is one value in the server's
binary format. A unit that is nothing but events of topics is an empty object: the function passes over it.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from psycopg.abc import AdaptContext
from psycopg.adapt import Dumper
from psycopg.pq import Format

from tidings.engine.postgres.catalog import Catalog, RowTable
from tidings.engine.postgres.seal import seal
from tidings.engine.unit import Address, Event, Once, Step, Unit, Value

LENGTH = struct.Struct(">i").pack
INT = struct.Struct(">ii").pack
LONG = struct.Struct(">iq").pack
NULL = LENGTH(-1)
_json = msgspec.json.Encoder().encode


class Ints(bytes):
    """An array of int4, packed."""


class Longs(bytes):
    """An array of int8, packed."""


class Blobs(bytes):
    """An array of bytea, packed."""


class Texts(bytes):
    """An array of text, packed."""


class Json(bytes):
    """A jsonb."""


def _dumper(array: int, prefix: bytes = b"") -> type[Dumper]:
    class Packed(Dumper):
        format = Format.BINARY
        oid = array

        def dump(self, obj: Any) -> bytes:
            return prefix + bytes(obj)

    return Packed


def register(context: AdaptContext) -> None:
    """Teach a connection these types."""
    if context.adapters is not None:
        for kind, oid in ((Blobs, 1001), (Ints, 1007), (Texts, 1009), (Longs, 1016)):
            context.adapters.register_dumper(kind, _dumper(oid))
        context.adapters.register_dumper(Json, _dumper(3802, b"\x01"))


def _packed(parts: list[bytes], count: int, element: int) -> bytes:
    if not count:
        return struct.pack(">iii", 0, 0, element)
    return struct.pack(">iiiii", 1, 1, element, count, 1) + b"".join(parts)


def blobs(items: Sequence[bytes | None]) -> Blobs:
    parts: list[bytes] = []
    for item in items:
        if item is None:
            parts.append(NULL)
        else:
            parts += (LENGTH(len(item)), item)
    return Blobs(_packed(parts, len(items), 17))


def ints(items: Sequence[int | None]) -> Ints:
    return Ints(_packed([NULL if i is None else INT(4, i) for i in items], len(items), 23))


def longs(items: Sequence[int | None]) -> Longs:
    return Longs(_packed([NULL if i is None else LONG(8, i) for i in items], len(items), 20))


def texts(items: Sequence[str | None]) -> Texts:
    parts = [NULL if i is None else LENGTH(len(b := i.encode())) + b for i in items]
    return Texts(_packed(parts, len(items), 25))


def jsonb(value: Any) -> Json:
    return Json(_json(value))


def _hex(data: bytes | None) -> str | None:
    return None if data is None else data.hex()


# ---- a call ----


def arguments(catalog: Catalog, units: Sequence[Unit], now: int, *, dry: bool = False) -> tuple[Any, ...]:
    """For `select * from tidings_commit(...)`."""
    flat: list[tuple[int, Event]] = []
    packed, steps, states = [], set(), set[Address]()
    for n, unit in enumerate(units):
        packed.append(_unit(catalog, unit, len(flat)))
        flat += [(n, event) for event in unit.events]
        steps |= {(unit.group, catalog.tp(step.partition)) for step in unit.steps}
        states |= {*unit.expect, *(write.address for write in unit.writes)}
        states |= {event.stream for event in unit.events if event.stream is not None}
    tell = any(unit.receipt or any(once.tells for once in unit.once) for unit in units)
    events = [event for _, event in flat]
    return (
        jsonb(packed),
        dry,
        tell,
        now,
        jsonb(sorted(steps)) if steps else None,
        jsonb(sorted(states)) if states else None,
        ints([n for n, _ in flat]),
        *_events(catalog, events, now),
    )


def _events(catalog: Catalog, events: Sequence[Event], now: int) -> tuple[Any, ...]:
    tps = [None if e.topic is None else catalog.tps[e.topic][e.partition] for e in events]
    crcs = [None if tp is None else seal(0, tp, now, e.key, e.head, e.data) for tp, e in zip(tps, events, strict=True)]
    private = any(e.stream is not None for e in events)
    none: list[None] = [None] * len(events)
    return (
        ints(tps),
        blobs([e.key for e in events]),
        blobs([e.id for e in events] if private else none),
        blobs([e.head for e in events]),
        blobs([e.data for e in events]),
        longs(crcs),
        texts([e.stream and e.stream.space for e in events] if private else none),
        texts([e.stream and e.stream.key for e in events] if private else none),
        longs([seal(0, 0, now, e.id, e.head, e.data) if e.stream else None for e in events] if private else none),
    )


def _unit(catalog: Catalog, u: Unit, first: int) -> Mapping[str, Any]:
    """Only what is there: the function looks for each word."""
    tp = catalog.tp
    found = {
        "steps": _steps(catalog, u),
        "expect": [[*address, version] for address, version in u.expect.items()],
        "places": _places(u.events),
        "once": sorted(_once(once, first) for once in u.once),
        "fired": [[t.name, t.due, t.attempt] for t in u.fired],
        "hold": _holds(catalog, u),
        "finish": [[tp(part), offset] for part, offset in u.finish],
        "timers": _timers(catalog, u),
        "cancel": list(u.cancel),
        "writes": _writes(catalog, u),
        "notes": [[tp(n.partition), n.offset, n.outcome, n.text] for n in u.notes],
        "tally": dict(u.tally),
    }
    packed: dict[str, Any] = {name: value for name, value in found.items() if value}
    if any(event.stream is not None for event in u.events):
        packed["streams"] = 1
    if u.steps or u.hold or u.finish or u.fired or u.cancel or u.timers or u.notes or u.tally:
        packed |= {"group": u.group, "effects": 1}
    return packed


def _steps(catalog: Catalog, u: Unit) -> list[list[Any]]:
    touched = {held.partition for held in u.hold} | {part for part, _ in u.finish}
    return [
        [catalog.tp(s.partition), s.epoch, s.held_gen, s.at, s.to, int(s.partition in touched), _marks(s)]
        for s in u.steps
    ]


def _holds(catalog: Catalog, u: Unit) -> list[list[Any]]:
    return [
        [
            tp := catalog.tp(h.partition), h.offset, h.time, _hex(h.key), _hex(h.head), _hex(h.data), h.due, h.attempt,
            h.error, seal(h.offset, tp, h.time, h.key, h.head, h.data),
        ]
        for h in u.hold
    ]  # fmt: skip


def _timers(catalog: Catalog, u: Unit) -> list[list[Any]]:
    return [
        [
            t.name, tp := catalog.tp(t.partition), t.due, _hex(t.key), _hex(t.head), _hex(t.data), t.attempt,
            seal(t.due, tp, t.attempt, t.key, t.head, t.data),
        ]
        for t in u.timers
    ]  # fmt: skip


def _writes(catalog: Catalog, u: Unit) -> list[list[Any]]:
    """By table; of two writes to one row the later counts."""
    tables: dict[str, dict[str, Sequence[Value] | None]] = {}
    for write in u.writes:
        tables.setdefault(write.address.space, {})[write.address.key] = write.values
    return [_written(catalog.table(name), rows) for name, rows in tables.items()]


def _written(table: RowTable, rows: Mapping[str, Sequence[Value] | None]) -> list[Any]:
    put = [
        {name: _value(value) for name, value in zip(table.names, values, strict=True)}
        for values in rows.values()
        if values is not None
    ]
    gone = [key for key, values in rows.items() if values is None]
    return [table.name, table.names[0], table.key_type, put, list(rows), gone]


def _value(value: Value) -> Any:
    return f"\\x{value.hex()}" if isinstance(value, bytes) else value


def _marks(step: Step) -> Mapping[str, Any]:
    return {mark.source: [mark.generation, mark.sequence] for mark in step.marks}


def _once(once: Once, first: int) -> list[Any]:
    return [once.scope, once.id.hex(), once.memo.hex(), [first + n for n in once.tells]]


def _places(events: Sequence[Event]) -> list[list[Any]]:
    """Of events that name their place: the stream, the place, the id, and how many of the unit go before it there."""
    seen: Counter[Address] = Counter()
    places = []
    for event in events:
        if event.stream is not None:
            seen[event.stream] += 1
            if event.version:
                places.append([*event.stream, event.version, event.id.hex(), seen[event.stream]])
    return places
