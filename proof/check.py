"""The invariants, each a function over what was written down and what is in the file. A violation is a sentence."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from proof.workload import Account, Added, Effect, Heard, Last, Transfer, system
from proof.workload import Counter as CounterAggregate
from tidings.domain.columns import from_values
from tidings.domain.runtime import Runtime
from tidings.domain.state import Row
from tidings.engine.unit import Claim, Partition
from tidings.event.envelope import unpack
from tidings.settings import load
from tidings.system import open_runtime

PAGE = 1000
RowT = TypeVar("RowT", bound=Row)


@dataclass
class Found:
    """What the histories and the file hold."""

    invoked: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    called: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)
    differing: list[str] = field(default_factory=list)
    log: list[Transfer] = field(default_factory=list)
    offsets: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    effects: dict[str, Effect] = field(default_factory=dict)
    heard: dict[str, Heard] = field(default_factory=dict)
    lanes: list[Last] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    parked: list[Transfer] = field(default_factory=list)
    streams: dict[str, list[str]] = field(default_factory=dict)
    ledger: list[tuple[str, str, int, int, int, int, str, int]] = field(default_factory=list)


async def gather(store: str, folder: Path) -> Found:
    found = Found()
    _read_histories(folder, found)
    async with open_runtime(system.program, load({"store": store}, {})) as runtime:
        await _read_log(runtime, found)
        found.effects = {r.transfer_id: r async for r in _rows(runtime, Effect)}
        found.heard = {r.transfer_id: r async for r in _rows(runtime, Heard)}
        found.lanes = [r async for r in _rows(runtime, Last)]
        found.accounts = [r async for r in _rows(runtime, Account)]
        await _read_parked(runtime, found)
        await _read_streams(runtime, found)
        lines = GROWING if store.startswith("sqlite") else ENDED
        found.ledger = [tuple(row) for row in await runtime.engine.store.query(LEDGER.replace("LINES", lines), {})]
    return found


ENDED = "select grp, tp, first, next, epoch, member, time from tidings_ledger"
GROWING = f"{ENDED} union all select grp, tp, since, next, epoch, owner, moved from tidings_progress where since < next"
LEDGER = """
select l.grp, p.topic, p.number, l.first, l.next, l.epoch, l.member, l.time from (LINES) l
  join tidings_part p on p.tp = l.tp order by l.grp, p.topic, p.number, l.first, l.next
"""


def _read_histories(folder: Path, found: Found) -> None:
    sets = {
        "invoke": found.invoked,
        "ok": found.acknowledged,
        "invoke-call": found.called,
        "ok-call": found.answered,
    }
    for path in folder.glob("*.jsonl"):
        for line in path.read_text().splitlines():
            try:
                what, ids = json.loads(line)
            except json.JSONDecodeError:  # cut off by the kill: whatever it was, nobody was told
                continue
            if what == "differ-call":
                found.differing += ids
            if what in sets:
                sets[what].update(ids)


async def _read_log(runtime: Runtime, found: Found) -> None:
    codec = runtime.codecs["Transfer"]
    at = {Partition("transfers", n): 0 for n in range(6)}
    while batches := await runtime.engine.log.read(at, PAGE):
        for batch in batches:
            at[batch.partition] = batch.next
            for record in batch.records:
                event: Transfer = codec.decode(unpack(record.head).version, record.data)
                found.log.append(event)
                found.offsets[event.transfer_id].append(record.offset)


async def _rows(runtime: Runtime, row: type[RowT]) -> AsyncIterator[RowT]:
    after, space = "", runtime.addresses.space(row)
    while page := await runtime.engine.store.page(space, after, PAGE):
        for _, values in page:
            yield from_values(row, values)
        after = str(page[-1][1][0])


async def _read_parked(runtime: Runtime, found: Found) -> None:
    codec, store = runtime.codecs["Transfer"], runtime.engine.store
    for p in await store.progress("ledger"):
        if p.held:
            claim = Claim(p.group, p.partition, p.epoch, p.next, p.held_gen)
            for held in await store.held([claim], None, 1_000_000):
                found.parked.append(codec.decode(unpack(held.head).version, held.data))


async def _read_streams(runtime: Runtime, found: Found) -> None:
    codec, kind = runtime.codecs["Added"], runtime.streams[CounterAggregate]
    names = await runtime.engine.store.streams("Counter", "", PAGE)
    for key, version in names:
        history = (await runtime.engine.store.load([runtime.addresses.of(CounterAggregate, key)]))[0]
        events: list[Added] = [codec.decode(1, e.data) for e in history.events]
        found.streams[key] = [e.call for e in events]
        if version != len(events) or [e.version for e in history.events] != list(range(1, version + 1)):
            found.streams[key].append(f"versions of {key} are not dense")
        if getattr(kind.folded(history), "total", None) != len(events):
            found.streams[key].append(f"the fold of {key} is not dense")


# ---- invariants ----


def i1_nothing_is_lost(f: Found) -> Iterator[str]:
    """Every acknowledged publish is in the log exactly once; every entry took effect or is parked."""
    for id in f.acknowledged - f.offsets.keys():
        yield f"{id} was acknowledged and is not in the log"
    for id, offsets in f.offsets.items():
        if len(offsets) > 1:
            yield f"{id} is {len(offsets)} times in the log"
    parked = {t.transfer_id for t in f.parked}
    for event in f.log:
        if event.transfer_id not in f.effects and event.transfer_id not in parked:
            yield f"{event.transfer_id} is in the log, without effect, and not parked"
        if event.transfer_id in f.effects and event.transfer_id in parked:
            yield f"{event.transfer_id} took effect and is parked"
    for id in f.effects.keys() - f.heard.keys():
        yield f"{id} took effect and the audit did not hear of it"


def i2_no_phantom(f: Found) -> Iterator[str]:
    for id in f.offsets.keys() - f.invoked:
        yield f"{id} is in the log and nobody published it"
    for id in f.effects.keys() - f.offsets.keys():
        yield f"{id} took effect and is not in the log"


def i3_no_effect_is_doubled(f: Found) -> Iterator[str]:
    for effect in f.effects.values():
        if effect.times != 1:
            yield f"{effect.transfer_id} took effect {effect.times} times"
    for heard in f.heard.values():
        if heard.times != 1:
            yield f"the audit heard of {heard.transfer_id} {heard.times} times"


def i4_order_of_a_key(f: Found) -> Iterator[str]:
    for lane in f.lanes:
        if lane.broken:
            yield f"{lane.broken} events of {lane.lane} took effect out of order"
    parked = {t.transfer_id for t in f.parked}
    stopped: set[str] = set()
    for event in f.log:
        if event.transfer_id in parked:
            stopped.add(event.source)
        elif event.source in stopped:
            yield f"{event.transfer_id} passed an earlier event of {event.source} that is parked"


def i5_progress_never_falls(f: Found) -> Iterator[str]:
    last: dict[tuple[str, str, int], int] = {}
    for group, topic, number, first, next_, *_ in f.ledger:
        place = group, topic, number
        if first < last.get(place, first):
            yield f"group {group} went back on {topic}/{number}: {last[place]} to {first}"
        if next_ < first:
            yield f"group {group} fell on {topic}/{number}"
        last[place] = max(next_, last.get(place, 0))


def i6_one_owner(f: Found) -> Iterator[str]:
    """Along the log the epoch never falls, and one epoch has one member."""
    last: dict[tuple[str, str, int], int] = {}
    who: dict[tuple[str, str, int, int], str] = {}
    for group, topic, number, _, _, epoch, member, _ in f.ledger:
        place = group, topic, number
        if epoch < last.get(place, 0):
            yield f"an older owner committed on {topic}/{number} for {group}: epoch {epoch} after {last[place]}"
        last[place] = epoch
        if who.setdefault((*place, epoch), member) != member:
            yield f"two members had epoch {epoch} of {topic}/{number} for {group}"


def i8_calls_are_done_once(f: Found) -> Iterator[str]:
    """A command that was asked again under its id is done once, and answered alike (H08)."""
    calls = Counter(call for stream in f.streams.values() for call in stream)
    for call, times in calls.items():
        if times > 1 or "dense" in call:
            yield f"call {call} is {times} times in its stream"
    for call in f.answered - calls.keys():
        yield f"call {call} was answered and left no event"
    for call in f.differing:
        yield f"call {call} had two outcomes"


def i10_money_is_conserved(f: Found) -> Iterator[str]:
    total = sum(a.balance for a in f.accounts)
    if total:
        yield f"the accounts sum up to {total}, not 0"
    moved = Counter[str]()
    for event in f.log:
        if event.transfer_id in f.effects:
            moved[event.source] -= event.amount
            moved[event.target] += event.amount
    for account in f.accounts:
        if account.balance != moved[account.name]:
            yield f"{account.name} has {account.balance}, its transfers come to {moved[account.name]}"


INVARIANTS = (
    i1_nothing_is_lost,
    i2_no_phantom,
    i3_no_effect_is_doubled,
    i4_order_of_a_key,
    i5_progress_never_falls,
    i6_one_owner,
    i8_calls_are_done_once,
    i10_money_is_conserved,
)


def violations(found: Found) -> dict[str, list[str]]:
    """Per invariant what breaks it (at most 20 sentences each)."""
    broken = {}
    for invariant in INVARIANTS:
        sentences = [s for s, _ in zip(invariant(found), range(20), strict=False)]
        if sentences:
            broken[invariant.__name__] = sentences
    return broken


def recovery(found: Found, deaths: Sequence[tuple[int, int]]) -> list[float]:
    """Seconds from the death of a worker to the next commit of anybody else on a partition that it had."""
    lines = sorted(found.ledger, key=lambda line: line[7])
    times = []
    for at, pid in deaths:
        had: dict[tuple[str, str, int], str] = {}
        for group, topic, number, _, _, _, member, time in lines:
            if time > at:
                break
            had[group, topic, number] = member
        mine = {place for place, member in had.items() if f"-{pid}-" in member}
        later = (t for g, topic, n, *_, m, t in lines if t > at and (g, topic, n) in mine and f"-{pid}-" not in m)
        first = next(later, None)
        if first is not None:
            times.append((first - at) / 1e6)
    return times
