"""The journey of a flow: from its first message to the last, who caused what, and what became of each.

Nothing is sampled and no tracing backend is asked: every message carries the id of its flow and of its cause. The id of
a flow tells when it began (UUIDv7), so the log is read from there on. Private events are looked for in the streams of
the keys that the flow touches; timers that still wait, and sagas, are found by what they carry.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from tidings.clock import from_micro
from tidings.domain.effects import LATER
from tidings.domain.idle import claim_of
from tidings.domain.saga_run import Token
from tidings.engine.port import Engine, Progress
from tidings.engine.unit import Address, Handling, Note, Partition
from tidings.errors import Corrupt, Poison, Refused
from tidings.event.envelope import Head, unpack
from tidings.event.identity import parse, show
from tidings.ops.entries import Entry, StreamEntry, entry, stream_entry
from tidings.ops.parked import ALL, HeldEvent, held
from tidings.ops.sagas import SagaState, saga
from tidings.ops.scan import Page, scan, since

What: TypeAlias = Literal["handled", "rejected", "parked", "held", "waiting", "paused", "dropped", "unknown", "passed"]
NOTES = 100_000
Hears: TypeAlias = Mapping[str, frozenset[str]]  # of each group of a program, the names that it hears


class Fate(Struct, frozen=True):
    """What became of one message in one group.

    `handled` by `member` at `time`: exactly (`exact`) where the group told something then, for that is one commit; else
    at the latest, for a line of the ledger may span a second. `rejected`, `dropped`, `unknown` with a `text`; `held`
    (retried, slow, or behind its key), `parked`; `waiting` or `paused` before it; `passed`: before the group began, or
    so long ago that no ledger tells.
    """

    group: str
    what: What
    time: datetime | None = None
    member: str = ""
    text: str = ""
    exact: bool = False


class Step(Struct):
    """A message of the flow, and what it led to. `after`: seconds since the flow began. `stream`: the one it joined and
    its version there. `private`: it is in no topic."""

    entry: Entry
    after: float
    stream: str | None
    private: bool
    fates: list[Fate]
    then: list[Step]


class Pending(Struct, frozen=True):
    """A message of the flow whose time has not come."""

    group: str
    name: str
    due: datetime
    causation: str | None


class Journey(Struct):
    """`steps`: the messages that no message of this flow led to, usually one. `took`: seconds from first to last.
    `remarks`: what could not be read, or lies beyond the log's end."""

    correlation: str
    began: datetime
    took: float
    events: int
    steps: list[Step]
    pending: list[Pending]
    sagas: list[SagaState]
    remarks: list[str]


async def journey(engine: Engine, id: str, hears: Hears | None = None) -> Journey:
    """The whole flow of an event, of a command, or of a correlation id.

    `hears` (see `ops.hears`) leaves out groups that only pass a message over. Raises Refused where nothing
    bears the id.
    """
    remarks: list[str] = []
    wanted = await _correlation(engine, parse(id), remarks)
    flow = await _find(engine, wanted, remarks)
    streams = await _streams(engine, flow, wanted)
    flow += [step.entry for step in streams.values() if step.private]
    began = min(e.time for e in flow)
    fates = await _Fates.of(engine, hears)
    steps = []
    for each in sorted(flow, key=lambda e: (e.offset < 0, e.time, e.offset)):
        known = streams.get(each.id)
        private = known is not None and known.private
        after = (each.time - began).total_seconds()
        became = [] if private else await fates.look(each)
        steps.append(Step(each, after, known.stream if known else None, private, became, []))
    return Journey(
        show(wanted),
        began,
        max(s.after for s in steps),
        len(steps),
        _tree(steps, remarks),
        await _pending(engine, wanted),
        await _sagas(engine, flow),
        remarks,
    )


async def _correlation(engine: Engine, id: bytes, remarks: list[str]) -> bytes:
    """The flow that this id is of: itself, where it began one."""
    start = await since(engine, id)
    async for page in scan(engine, start, _damage(remarks)):
        for head in _heads(page, id):
            if id in (head.correlation, head.id):
                return head.correlation
    for space in await engine.store.spaces():  # a private event: only its stream has it
        after = ""
        while keys := await engine.store.streams(space, after, 500):
            after = keys[-1][0]
            for history in await engine.store.load([Address(space, key) for key, _ in keys]):
                for stored in history.events:
                    if id in stored.head:
                        return unpack(stored.head).correlation
    raise Refused(
        f"nothing in this store bears the id {show(id)}",
        hint="the id of an event, a command or a flow; retention may have taken it",
    )


def _heads(page: Page, id: bytes) -> list[Head]:
    """Heads that bear the id somewhere: a look at bytes spares unpacking all others."""
    found = []
    for _, record in page:
        if id in record.head:
            try:
                found.append(unpack(record.head))
            except Poison:  # such a record is shown by `tail`
                continue
    return found


async def _find(engine: Engine, correlation: bytes, remarks: list[str]) -> list[Entry]:
    found = []
    async for page in scan(engine, await since(engine, correlation), _damage(remarks)):
        for part, record in page:
            if correlation in record.head:
                one = entry(part, record)
                if one.correlation == show(correlation):
                    found.append(one)
    return found


def _damage(remarks: list[str]) -> Callable[[Corrupt], None]:
    def told(error: Corrupt) -> None:
        if error.message not in remarks:
            remarks.append(error.message)

    return told


# ---- streams -------------------------------------------------------------------------------------------------------


class _InStream(Struct):
    stream: str
    private: bool
    entry: Entry


async def _streams(engine: Engine, flow: Sequence[Entry], correlation: bytes) -> dict[str, _InStream]:
    """By event id: which stream it joined, in the streams that bear a key of the flow."""
    spaces = await engine.store.spaces()
    keys = list(dict.fromkeys(e.key for e in flow if e.key is not None))
    public = {e.id for e in flow}
    found = {}
    for history in await engine.store.load([Address(space, key) for key in keys for space in spaces]):
        for stored in history.events:
            if correlation not in stored.head:
                continue
            one = stream_entry(stored)
            if one.correlation == show(correlation):
                name = f"{history.address.space} {history.address.key} v{one.version}"
                found[one.id] = _InStream(name, one.id not in public, _private(history.address.key, one))
    return found


def _private(key: str, e: StreamEntry) -> Entry:
    return Entry(
        "", -1, -1, e.time, key, e.id, e.name, e.schema, "event", e.source, e.time,
        e.correlation, e.causation, "", e.data,
    )  # fmt: skip


# ---- what became of each ---------------------------------------------------------------------------------------------


class _Fates:
    def __init__(
        self,
        engine: Engine,
        rows: Sequence[Progress],
        held_: Sequence[HeldEvent],
        notes: Sequence[Note],
        hears: Hears | None,
    ) -> None:
        self.engine, self.hears = engine, hears
        self.rows: defaultdict[Partition, list[Progress]] = defaultdict(list)
        for row in rows:
            self.rows[row.partition].append(row)
        self.held = {(h.group, h.entry.topic, h.entry.partition, h.entry.offset): h for h in held_}
        self.notes = {(n.group, *n.partition, n.offset): n for n in notes}

    @classmethod
    async def of(cls, engine: Engine, hears: Hears | None) -> _Fates:
        rows = await engine.store.progress()
        return cls(engine, rows, await held(engine), await engine.store.notes(None, NOTES), hears)

    async def look(self, e: Entry) -> list[Fate]:
        part = Partition(e.topic, e.partition)
        lines: dict[str, Handling] = {}
        for line in await self.engine.store.handled(part, e.offset):
            if line.group not in lines or lines[line.group].time <= line.time:
                lines[line.group] = line
        rows = [row for row in self.rows[part] if self.hears is None or e.name in self.hears.get(row.group, ())]
        return [self._fate(row, e, lines.get(row.group)) for row in rows]

    def _fate(self, row: Progress, e: Entry, line: Handling | None) -> Fate:
        place = (row.group, e.topic, e.partition, e.offset)
        kept, note = self.held.get(place), self.notes.get(place)
        if kept is not None:
            return Fate(row.group, "parked" if kept.due is None else "held", kept.due, row.owner, kept.error)
        if note is not None and note.outcome in ("rejected", "dropped", "unknown"):
            what: What = note.outcome  # type: ignore[assignment]
            return Fate(row.group, what, from_micro(note.time), line.member if line else "", note.text)
        if row.next <= e.offset:
            return Fate(row.group, "paused" if row.paused else "waiting", text=row.paused or "")
        if line is None:
            return Fate(row.group, "passed")
        return Fate(row.group, "handled", from_micro(line.time), line.member)


# ---- the whole -----------------------------------------------------------------------------------------------------


def _tree(steps: Sequence[Step], remarks: list[str]) -> list[Step]:
    """Each under its cause, by the ids they carry; private events come after the others of their cause."""
    by_id: dict[str, Step] = {}
    for step in steps:
        by_id.setdefault(step.entry.id, step)
    roots = []
    for step in steps:
        cause = by_id.get(step.entry.causation or "")
        if cause is not None and cause is not step:
            cause.then.append(step)
            cause.fates = [_told(fate, step.entry) for fate in cause.fates]
            continue
        roots.append(step)
        if step.entry.causation and step.entry.causation != step.entry.correlation:
            remarks.append(f"the cause of {step.entry.name} ({step.entry.causation}) is not in the log any more")
    return roots


def _told(fate: Fate, told: Entry) -> Fate:
    """The fate, with the moment at which its group told something about it."""
    if fate.what != "handled" or told.source.rpartition("/")[2] != fate.group or fate.exact:
        return fate
    return replace(fate, time=told.time, exact=True)


async def _pending(engine: Engine, correlation: bytes) -> list[Pending]:
    found = []
    for row in await engine.store.progress():
        for timer in await engine.store.timers([claim_of(row)], ALL):
            if correlation not in timer.head:
                continue
            head = unpack(timer.head)
            if head.correlation == correlation:
                name = timer.name.split("/")[1] if head.name == LATER else f"{head.name} of {timer.name}"
                causation = show(head.causation) if head.causation else None
                found.append(Pending(row.group, name, from_micro(timer.due), causation))
    return sorted(found, key=lambda p: p.due)


async def _sagas(engine: Engine, flow: Sequence[Entry]) -> list[SagaState]:
    """The instances whose commands and outcomes are in the flow."""
    names = dict.fromkeys((t.saga, t.key) for e in flow if e.saga and (t := Token.read(e.saga)))
    found = [await saga(engine, name, key) for name, key in names]
    return [each for each in found if each is not None]


__all__ = ["Fate", "Hears", "Journey", "Pending", "Step", "What", "journey"]
