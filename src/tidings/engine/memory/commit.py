"""The commit as a specification: check everything, then write everything. Nothing is awaited, so nothing comes between.

progress   fenced where epoch or place moved           -> Fenced, at once
states     streams and rows are as they were expected  -> Conflict, together with
held_gen   nobody touched what is held                     all of these
once       no id was seen
fired      timers are as they were read
Inside     runs, and what it tells joins the unit      -> Failed, or Conflict over its own `once`
write      nothing can refuse any more                 -> Committed
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, structs

from tidings.engine.memory.log import MemoryLog
from tidings.engine.memory.tables import StoreTables
from tidings.engine.receipts import Offset, read_receipt
from tidings.engine.unit import (
    Address,
    Answer,
    Committed,
    Conflict,
    Event,
    Failed,
    Fenced,
    Handling,
    Memo,
    Once,
    Partition,
    Stored,
    Unit,
)
from tidings.errors import Refused


class NoSql:
    """What a transactional handler is given here."""

    def execute(self, sql: str, parameters: Mapping[str, Any] = {}, /) -> Sequence[Sequence[Any]]:
        raise no_sql()


def no_sql() -> Refused:
    return Refused("the memory engine knows no SQL", hint="run this on sqlite:///PATH")


def commit(t: StoreTables, log: MemoryLog, split: bool, unit: Unit, now: int) -> Answer:
    """One unit, whole or not at all."""
    refusal = _check(t, unit)
    if refusal is not None:
        return refusal
    events, marks = list(unit.events), list(unit.once)
    for inside in unit.inside:
        try:
            inner = inside.run(NoSql())
        except Exception as error:  # noqa: BLE001 -- whatever a user's handler raises is an answer
            return Failed(repr(error), inside.cause)
        if seen := _seen(t, inner.once):
            return Conflict(seen=seen)
        shift = len(events)
        events += inner.events
        marks += [structs.replace(once, tells=[shift + n for n in once.tells]) for once in inner.once]
    reason = _impossible(t, log, unit, events)
    return Failed(reason) if reason else _write(t, log, split, structs.replace(unit, events=events, once=marks), now)


# ---- conditions ----


def _check(t: StoreTables, unit: Unit) -> Answer | None:
    fenced: list[Partition] = []
    held: list[Partition] = []
    for step in unit.steps:
        row = t.progress.get((unit.group, step.partition))
        if row is None or (row.epoch, row.next) != (step.epoch, step.at):
            fenced.append(step.partition)
        elif row.held_gen != step.held_gen:
            held.append(step.partition)
    if fenced:
        return Fenced(fenced)
    states = [address for address, version in unit.expect.items() if t.version(address) != version]
    states = list(dict.fromkeys([*states, *_misplaced(t, unit)]))
    if states and _again(t, unit):
        return Committed(again=True)
    seen = _seen(t, unit.once)
    gone = [timer.name for timer in unit.fired if t.timers.get((unit.group, timer.name)) != timer]
    return Conflict(states, held, seen, gone) if states or held or seen or gone else None


def _seen(t: StoreTables, marks: Iterable[Once]) -> dict[bytes, bytes]:
    return {once.id: t.once[once.scope, once.id].memo for once in marks if (once.scope, once.id) in t.once}


def _misplaced(t: StoreTables, unit: Unit) -> Iterable[Address]:
    """Streams that moved under an event that names its place."""
    ends: Counter[Address] = Counter()
    for event in unit.events:
        if event.stream is not None:
            ends[event.stream] += 1
            if event.version and event.version != t.version(event.stream) + ends[event.stream]:
                yield event.stream


def _again(t: StoreTables, unit: Unit) -> bool:
    """Whether these very events are at these very places. Progress cannot have been kept apart from them."""
    places = [(t.streams.get(e.stream, []), e) for e in unit.events if e.stream is not None and e.version]
    return bool(places) and not unit.steps and all(
        e.version <= len(stream) and stream[e.version - 1].id == e.id for stream, e in places
    )  # fmt: skip


def _impossible(t: StoreTables, log: MemoryLog, unit: Unit, events: Sequence[Event]) -> str:
    """Why the unit can never be written; "" where it can."""
    for event in events:
        if event.topic is not None and (reason := log.impossible(event)):
            return reason
    for write in unit.writes:
        table = t.tables.get(write.address.space)
        if table is None:
            return f"no table {write.address.space!r} was declared"
        if write.values is not None and len(write.values) != len(table.columns):
            return f"table {table.name!r} has {len(table.columns)} columns, a row has {len(write.values)}"
    return ""


# ---- effects ----


def _write(t: StoreTables, log: MemoryLog, split: bool, unit: Unit, now: int) -> Committed:
    t.commits += 1
    _write_group(t, unit, now)
    for write in unit.writes:
        if write.values is None:
            t.rows.pop(write.address, None)
        else:
            t.rows[write.address] = (t.commits, tuple(write.values))
    for event in unit.events:
        if event.stream is not None:
            stream = t.streams.setdefault(event.stream, [])
            stream.append(Stored(len(stream) + 1, event.id, now, event.head, event.data))
    places = _tell(t, log, split, unit.events)
    for once in unit.once:
        t.once[once.scope, once.id] = Memo(once.memo, _receipt(split, places, once.tells), now)
    return Committed(t.commits, _receipt(split, places, range(len(unit.events))) if unit.receipt else "")


def _write_group(t: StoreTables, unit: Unit, now: int) -> None:
    """Progress, the ledger, held events, timers, and what people are told of."""
    touched = {held.partition for held in unit.hold} | {part for part, _ in unit.finish}
    for step in unit.steps:
        row = t.progress[unit.group, step.partition]
        if step.to != step.at:
            row.tries = 0
            t.lines += 1
            t.ledger[t.lines] = Handling(unit.group, step.partition, step.at, step.to, step.epoch, row.owner, now)
        row.next = step.to
        row.held_gen += step.partition in touched
        row.marks |= {mark.source: mark for mark in step.marks}
    for held in unit.hold:
        t.progress[unit.group, held.partition].held[held.offset] = held
    for part, offset in unit.finish:
        t.progress[unit.group, part].held.pop(offset, None)
    for name in [timer.name for timer in unit.fired] + list(unit.cancel):
        t.timers.pop((unit.group, name), None)
    t.timers |= {(unit.group, timer.name): timer for timer in unit.timers}
    for note in unit.notes:
        kept = structs.replace(note, group=unit.group, time=now)
        t.notes.setdefault((unit.group, note.partition, note.offset), kept)
    t.tallies[unit.group].update(unit.tally)


def _tell(t: StoreTables, log: MemoryLog, split: bool, events: Sequence[Event]) -> dict[int, Any]:
    """Where each event went, by its index: into the log, where log and store are one, else into the outbox."""
    told = {n: event for n, event in enumerate(events) if event.topic is not None}
    if not split:
        offsets = log.append(told.values())
        pairs = zip(told.items(), offsets, strict=True)
        return {n: [event.topic, event.partition, offset] for (n, event), offset in pairs}
    places = {n: number for number, n in enumerate(told, t.outbox_next)}
    t.outbox |= {places[n]: event for n, event in told.items()}
    t.outbox_next += len(told)
    return places


def _receipt(split: bool, places: Mapping[int, Any], which: Iterable[int]) -> str:
    return json.dumps({"outbox" if split else "at": [places[n] for n in which if n in places]})


# ---- receipts ----


class Told(Struct, forbid_unknown_fields=True):
    """Where a unit's events are: in the outbox, or in the log."""

    outbox: list[Offset] = []
    at: list[tuple[str, Offset, Offset]] = []


RECEIPT = msgspec.json.Decoder(Told)


def handled(t: StoreTables, group: str, receipt: str) -> bool:
    """Whether the group is past all of the receipt's events and holds none of them."""
    told = read_receipt(receipt, RECEIPT) if receipt else Told()
    if not all(number in t.sent for number in told.outbox):
        return False
    places = [t.sent[number][1:] for number in told.outbox]
    places += [(Partition(topic, number), offset) for topic, number, offset in told.at]
    rows = [(t.progress.get((group, part)), offset) for part, offset in places]
    return all(row is None or (row.next > offset and offset not in row.held) for row, offset in rows)
