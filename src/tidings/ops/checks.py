"""The looks that `verify` is made of: each walks over a whole store and tells what it met. They only read."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Container, Mapping, Sequence

from msgspec import Struct

from tidings.clock import MICRO
from tidings.engine.port import Engine, Topic
from tidings.engine.unit import Address, Handling, History, Partition
from tidings.errors import Corrupt, Poison, TidingsError
from tidings.event.envelope import Head, unpack
from tidings.event.identity import id_time, show
from tidings.ops.groups import groups
from tidings.ops.sagas import OPEN, counts
from tidings.ops.scan import beginnings, scan
from tidings.ops.words import plural

SHOWN = 50  # violations that are told one by one
PAGE = 1000
SLICE = 2_000_000  # messages whose ids are kept in memory at once
EVERYTHING = 1_000_000


class Found(Struct):
    """`wrong`: violations, the first `SHOWN` of `count`. `open_`: what is unfinished, no violation by itself."""

    looked_at: int = 0
    count: int = 0
    wrong: list[str] = []
    remarks: list[str] = []
    open_: list[str] = []

    def violated(self, sentence: str) -> None:
        self.count += 1
        if len(self.wrong) < SHOWN:
            self.wrong.append(sentence)


# ---- I5, I6: the ledger --------------------------------------------------------------------------------------------


async def ledgers(engine: Engine) -> Found:
    """Each line of a group's ledger begins where the one before ended, or where an audited reset put it."""
    found = Found()
    for group in await _names(engine):
        last: dict[Partition, Handling] = {}
        holes: list[tuple[Handling, Handling]] = []
        async for line in _lines(engine, group):
            found.looked_at += 1
            before = last.get(line.partition)
            if before is not None and line.first != before.next:
                holes.append((before, line))
            if line.next < line.first:
                found.violated(f"{group} went back from {line.first} to {line.next} on {_at(line.partition)}")
            last[line.partition] = line
        rows = {r.partition: r.next for r in await engine.store.progress(group)}  # after the lines: it may be moving
        found.looked_at += len(rows)
        behind = [line for part, line in last.items() if rows.get(part, line.next) < line.next]
        if holes or behind:
            _judge(group, holes, behind, rows, await _moves(engine), found)
    return found


def _judge(
    group: str,
    holes: Sequence[tuple[Handling, Handling]],
    behind: Sequence[Handling],
    rows: Mapping[Partition, int],
    moves: _Moves,
    found: Found,
) -> None:
    """Only what a reset or a removal explains is right."""
    for before, line in holes:
        if not moves.allow(group, line.partition, line.first, before.time, line.time):
            found.violated(
                f"{group} went from {before.next} to {line.first} on {_at(line.partition)}, and nobody reset it"
            )
    for line in behind:
        if not moves.after(group, line.time):
            part = line.partition
            found.violated(f"{group} stands at {rows[part]} on {_at(part)}, but finished up to {line.next}")


async def owners(engine: Engine) -> Found:
    """Epochs of a group's ledger never fall, and one epoch is one member."""
    found = Found()
    for group in await _names(engine):
        last: dict[Partition, Handling] = {}
        async for line in _lines(engine, group):
            found.looked_at += 1
            before = last.get(line.partition)
            if before is not None and line.epoch < before.epoch:
                found.violated(
                    f"{line.member} finished {_at(line.partition)} for {group} under epoch {line.epoch}, "
                    f"after epoch {before.epoch}"
                )
            if before is not None and line.epoch == before.epoch and line.member != before.member:
                found.violated(
                    f"{before.member} and {line.member} both finished {_at(line.partition)} for {group} "
                    f"under epoch {line.epoch}"
                )
            last[line.partition] = line
        for row in await engine.store.progress(group):
            found.looked_at += 1
            if row.partition in last and row.epoch < last[row.partition].epoch:
                found.violated(
                    f"{group} on {_at(row.partition)} is at epoch {row.epoch}, below one that it finished under"
                )
    return found


class _Moves(Struct):
    """Resets and removals, by group: the only things that may move progress."""

    acts: dict[str, list[tuple[int, dict[str, int] | None]]]  # (time, where to; None: removed)

    def allow(self, group: str, part: Partition, to: int, since: int, until: int) -> bool:
        return any(
            since <= time <= until and (where is None or where.get(_at(part)) == to)
            for time, where in self.acts.get(group, ())
        )

    def after(self, group: str, since: int) -> bool:
        return any(time >= since for time, _ in self.acts.get(group, ()))


async def _moves(engine: Engine) -> _Moves:
    acts: defaultdict[str, list[tuple[int, dict[str, int] | None]]] = defaultdict(list)
    for act in await engine.store.acts(EVERYTHING):
        if act.act in ("reset", "remove"):
            acts[act.group].append((act.time, json.loads(act.detail).get("to") if act.act == "reset" else None))
    return _Moves(acts)


async def _names(engine: Engine) -> list[str]:
    return sorted({row.group for row in await engine.store.progress()})


async def _lines(engine: Engine, group: str) -> AsyncIterator[Handling]:
    after = 0
    while page := await engine.store.ledger(group, after, PAGE):
        after = page[-1][0]
        for _, line in page:
            yield line


# ---- I12: streams --------------------------------------------------------------------------------------------------


async def dense(engine: Engine) -> Found:
    """Versions of a stream are 1, 2, 3, ..., and no event is in it twice."""
    found = Found()
    async for history in histories(engine, found):
        address, seen = history.address, set[bytes]()
        for place, stored in enumerate(history.events, 1):
            found.looked_at += 1
            if stored.version != place:
                found.violated(f"{address.space} {address.key}: version {stored.version} stands at place {place}")
            if stored.id in seen:
                found.violated(f"{address.space} {address.key}: {show(stored.id)} is in it twice")
            seen.add(stored.id)
        if history.version != len(history.events):
            found.violated(
                f"{address.space} {address.key}: at version {history.version} with {len(history.events)} events"
            )
    return found


async def histories(engine: Engine, found: Found) -> AsyncIterator[History]:
    """Every stream; a damaged one is a remark, and `damage` tells of it."""
    for space in await engine.store.spaces():
        after = ""
        while keys := await engine.store.streams(space, after, 200):
            after = keys[-1][0]
            for key, _ in keys:
                try:
                    yield (await engine.store.load([Address(space, key)]))[0]
                except Corrupt as error:
                    found.remarks.append(error.message)


# ---- I14: causes ---------------------------------------------------------------------------------------------------


class Effect(Struct):
    """A message whose cause was not met yet."""

    head: Head
    place: str
    in_log: bool


async def causes(engine: Engine) -> Found:
    """The cause of a message lies before it and is of its flow; a flow that a schedule began has none in the log."""
    found = Found()
    lacking: dict[bytes, Effect] = {}
    records = int((await engine.facts()).get("records", 0))
    slices = 1 + records // SLICE
    for number in range(slices):
        await _slice(engine, number, slices, found, lacking)
    async for history in histories(engine, found):
        for stored in history.events:
            head = unpack(stored.head)
            if head.causation:
                place = f"{history.address.space} {history.address.key}"
                lacking.setdefault(head.causation, Effect(head, place, in_log=False))
    await _settle(engine, found, lacking)
    return found


async def _slice(engine: Engine, number: int, slices: int, found: Found, lacking: dict[bytes, Effect]) -> None:
    """Flows whose id falls into this slice: a cause that was met earlier is right, any other goes to `lacking`."""
    seen: set[bytes] = set()
    async for page in scan(engine, await beginnings(engine), lambda error: found.remarks.append(error.message)):
        for part, record in page:
            try:
                head = unpack(record.head)
            except Poison:
                continue
            if head.correlation[-1] % slices != number:
                continue
            found.looked_at += 1
            if head.causation and head.causation + head.correlation not in seen:
                lacking.setdefault(head.causation, Effect(head, f"{_at(part)}/{record.offset}", in_log=True))
            seen.add(head.id + head.correlation)


async def _settle(engine: Engine, found: Found, lacking: dict[bytes, Effect]) -> None:
    """Look once more for the causes that were not met: gone by retention is nothing wrong."""
    met = await _heads(engine, lacking) if lacking else {}
    topics, now = await engine.log.topics(), await engine.store.now()
    gone = scheduled = 0
    for cause, effect in lacking.items():
        if cause in met:
            _compare(met[cause], effect, found, ordered=engine.can.one_commit)
        elif (
            cause == effect.head.correlation
        ):  # as a schedule begins a flow; a first message that is gone looks the same
            scheduled += 1
        elif _may_be_gone(cause, topics, now):
            gone += 1
        else:
            found.violated(f"the cause of {effect.head.name} at {effect.place}, {show(cause)}, is nowhere")
    if scheduled:
        found.remarks.append(
            f"{plural(scheduled, 'flow')} begun by no message in the log: by a schedule, or retention took it"
        )
    if gone:
        found.remarks.append(
            f"{plural(gone, 'cause')} not in the log any more, which retention or compaction may have taken"
        )


async def _heads(engine: Engine, ids: Container[bytes]) -> dict[bytes, Head]:
    """The heads of these messages, as far as they are in the log."""
    met: dict[bytes, Head] = {}
    async for page in scan(engine, await beginnings(engine)):
        for _, record in page:
            try:
                head = unpack(record.head)
            except Poison:
                continue
            if head.id in ids:
                met[head.id] = head
    return met


def _compare(cause: Head, effect: Effect, found: Found, *, ordered: bool) -> None:
    """The cause is in the log, but was not met before its effect, or the effect is in a stream (no order between)."""
    what = f"{effect.head.name} at {effect.place}"
    if cause.correlation != effect.head.correlation:
        found.violated(f"{what} is of another flow than its cause {show(cause.id)}")
    elif effect.in_log and ordered:
        found.violated(f"{what} lies before its cause {show(cause.id)}")


def _may_be_gone(cause: bytes, topics: Sequence[Topic], now: int) -> bool:
    limits = [t.keep for t in topics if t.keep is not None]
    if any(t.compact or t.keep_bytes is not None for t in topics):
        return True
    if not limits:
        return False
    try:
        return id_time(cause) < now - int(min(limits) * MICRO)
    except TidingsError:  # a derived id tells no time
        return True


# ---- I18, I5: the records themselves -------------------------------------------------------------------------------


async def damage(engine: Engine) -> Found:
    """Checksums and pages; and that offsets only rise."""
    found = Found()
    last: dict[Partition, int] = {}

    def told(error: Corrupt) -> None:
        if error.message not in found.wrong:
            found.violated(error.message)

    async for page in scan(engine, await beginnings(engine), told):
        for part, record in page:
            found.looked_at += 1
            if record.offset <= last.get(part, -1):
                found.violated(f"offset {record.offset} of {_at(part)} comes after {last[part]}")
            last[part] = record.offset
    in_streams = Found()
    async for history in histories(engine, in_streams):
        found.looked_at += len(history.events)
    for sentence in (*in_streams.remarks, *(await engine.facts(thorough=True)).get("damage", ())):
        if sentence not in found.wrong:
            found.violated(sentence)
    return found


# ---- I19: at rest --------------------------------------------------------------------------------------------------


async def rest(engine: Engine) -> Found:
    """Nothing waits, nothing is stuck, no dead member owns anything that a living one should have."""
    found = Found()
    for group in await groups(engine):
        found.looked_at += 1
        living = [m.name for m in group.members if m.alive]
        dead = {p.owner for p in group.partitions if p.owner and not p.alive}
        if living and dead:
            found.violated(
                f"{group.group}: {', '.join(sorted(dead))} is dead and owns partitions, though {living[0]} lives"
            )
        if group.state == "stalled":
            found.violated(f"{group.group}: {group.reasons[0]}")
        if group.lag:
            found.open_.append(f"{plural(group.lag, 'event')} before {group.group}")
        if group.held > group.parked:
            found.open_.append(f"{plural(group.held - group.parked, 'event')} held by {group.group}")
        if group.parked:
            found.remarks.append(f"{plural(group.parked, 'event')} parked in {group.group}, for a person to look")
    for name, by_status in (await counts(engine)).items():
        found.looked_at += sum(by_status.values())
        if by_status.get("stuck"):
            found.violated(f"{plural(by_status['stuck'], 'saga')} of {name} stuck: an undo was refused")
        if open_ := sum(by_status.get(s, 0) for s in OPEN):
            found.open_.append(f"{plural(open_, 'saga')} of {name} open")
    if outbox := (await engine.facts()).get("outbox"):
        found.open_.append(f"{plural(outbox, 'event')} in the outbox")
    return found


def _at(part: Partition) -> str:
    return f"{part.topic}/{part.number}"
