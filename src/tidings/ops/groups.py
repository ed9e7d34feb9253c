"""Groups as an operator sees them: who has what, how far they are, and what is wrong.

A group is compared with the real end of the log and with who really lives, so that a dead runner never looks healthy:

    act    somebody has to act: paused by an error, events wait and nobody lives to handle them, or a live owner has
           made no progress for `STALLED` seconds while events wait
    look   parked or retried events, a pause that an operator made, nobody there though nothing waits
    ok     everything else; being behind while moving on is normal
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from tidings.clock import MICRO, from_micro
from tidings.engine.port import Engine, Extent, Progress, Seated
from tidings.engine.unit import Partition
from tidings.errors import Corrupt, Refused, Truncated, did_you_mean
from tidings.ops.words import plural

Status: TypeAlias = Literal["ok", "look", "act"]
STALLED = 10.0  # seconds without progress while events wait
OPERATOR = "operator: "  # how the reason of a pause begins that a person made
TRUNCATED = "truncated: "  # and of one that retention made


class MemberState(Struct, frozen=True):
    """`beat`: when it last said that it lives."""

    name: str
    alive: bool
    beat: datetime
    partitions: int


class PartitionState(Struct, frozen=True):
    """`position`: the next offset to handle; `end`: of the partition. `lag`: events between them, `held` not counted.
    `oldest`: when the oldest held event was recorded. `alive`: its owner lives."""

    topic: str
    partition: int
    position: int
    end: int
    lag: int
    held: int
    parked: int
    oldest: datetime | None
    owner: str
    alive: bool
    epoch: int
    paused: str | None


class GroupState(Struct, frozen=True):
    """`state`: the worst of `reasons` in a few words. `waiting_since`: when the oldest event before it was recorded.
    `counts`: what it did so far (handled, rejected, retried, parked, ...)."""

    group: str
    status: Status
    state: str
    reasons: Sequence[str]
    members: Sequence[MemberState]
    lag: int
    held: int
    parked: int
    oldest: datetime | None
    waiting_since: datetime | None
    counts: Mapping[str, int]
    partitions: Sequence[PartitionState]


async def groups(engine: Engine, group: str | None = None, *, stalled: float = STALLED) -> list[GroupState]:
    """Every group, or one. Raises Refused for a name that the store does not know."""
    rows = await engine.store.progress()
    found: defaultdict[str, list[Progress]] = defaultdict(list)
    for row in rows:
        found[row.group].append(row)
    seated: defaultdict[str, list[Seated]] = defaultdict(list)
    for seat in await engine.log.members():
        seated[seat.group].append(seat)
    names = sorted({*found, *seated})
    if group is not None and group not in names:
        raise unknown_group(group, names)
    wanted = names if group is None else [group]
    topics = {t.name for t in await engine.log.topics()}
    used = sorted({row.partition.topic for name in wanted for row in found[name]} & topics)
    extents = {e.partition: e for e in await engine.log.extents(used)}
    return [await _group(engine, name, found[name], seated[name], extents, stalled) for name in wanted]


def unknown_group(group: str, names: Sequence[str]) -> Refused:
    hint = did_you_mean(group, names) if names else "no group has begun yet: start a worker with `tidings run`"
    return Refused(f"no group {group!r} in this store", hint=hint)


async def tallies(engine: Engine) -> dict[str, Mapping[str, int]]:
    """What every group did so far: handled, rejected, retried, parked, ..."""
    names = sorted({p.group for p in await engine.store.progress()})
    return {name: await engine.store.tallies(name) for name in names}


async def _group(
    engine: Engine,
    name: str,
    rows: Sequence[Progress],
    seats: Sequence[Seated],
    extents: Mapping[Partition, Extent],
    stalled: float,
) -> GroupState:
    lags = await engine.log.lag({r.partition: r.next for r in rows if r.partition in extents})
    living = {s.member for s in seats if s.alive}
    parts = [_partition(r, extents, lags.get(r.partition, 0), living) for r in rows]
    since = await _waiting_since(engine, [p for p in parts if p.lag and not p.paused])
    judged = _judge(parts, living)
    if since is not None and await engine.store.now() - since > stalled * MICRO:
        judged += await _stalled(engine, name, [p for p in parts if p.lag and p.alive and not p.paused], stalled)
    worst = max((j[0] for j in judged), default=0)
    statuses: tuple[Status, ...] = ("ok", "look", "act")
    lag = sum(p.lag for p in parts)
    calm = "up to date" if not lag else "behind"
    return GroupState(
        name,
        statuses[worst],
        next((words for rank, words, _ in judged if rank == worst), calm),
        [why for _, _, why in sorted(judged, key=lambda j: -j[0])],
        _members(seats, parts),
        lag,
        sum(p.held for p in parts),
        sum(p.parked for p in parts),
        min((p.oldest for p in parts if p.oldest), default=None),
        from_micro(since) if since is not None else None,
        await engine.store.tallies(name),
        parts,
    )


def _members(seats: Sequence[Seated], parts: Sequence[PartitionState]) -> list[MemberState]:
    owned = defaultdict[str, int](int)
    for p in parts:
        owned[p.owner] += 1
    return [MemberState(s.member, s.alive, from_micro(s.beat), owned[s.member]) for s in seats]


def _partition(row: Progress, extents: Mapping[Partition, Extent], lag: int, living: set[str]) -> PartitionState:
    extent = extents.get(row.partition)
    return PartitionState(
        *row.partition,
        row.next,
        extent.next if extent is not None else row.next,
        lag,
        row.held,
        row.parked,
        from_micro(row.oldest) if row.oldest is not None else None,
        row.owner,
        bool(row.owner) and row.owner in living,
        row.epoch,
        row.paused,
    )


def _judge(parts: Sequence[PartitionState], living: set[str]) -> list[tuple[int, str, str]]:
    """(2 act, 1 look; a few words; a sentence) for all that one look can tell."""
    found = []
    for paused in dict.fromkeys(p.paused for p in parts if p.paused):
        where = [p for p in parts if p.paused == paused]
        own = paused.startswith(OPERATOR)
        found.append((1 if own else 2, "paused", f"{_places(where)} paused: {paused}"))
    orphans = [p for p in parts if p.lag and not p.alive and not p.paused]
    if orphans:
        count = sum(p.lag for p in orphans)
        why = f"{plural(count, 'event')} before {_places(orphans)}, and no live member has it"
        found.append((2, "nobody handles it", why))
    parked = [p for p in parts if p.parked]
    if parked:
        found.append((1, "parked", f"{plural(sum(p.parked for p in parked), 'event')} parked on {_places(parked)}"))
    retried = sum(p.held - p.parked for p in parts)
    if retried:
        found.append((1, "held", f"{plural(retried, 'event')} held: retried, slow, or behind one of the same key"))
    if not living and not orphans:
        found.append((1, "no member", "no member runs; nothing waits"))
    return sorted(found, key=lambda each: -each[0])


async def _waiting_since(engine: Engine, behind: Sequence[PartitionState]) -> int | None:
    """When the oldest event was recorded that lies before the group."""
    if not behind:
        return None
    try:
        batches = await engine.log.read({Partition(p.topic, p.partition): p.position for p in behind}, 1)
    except (Truncated, Corrupt):
        return 0
    return min((r.time for b in batches for r in b.records[:1]), default=None)


async def _stalled(
    engine: Engine, group: str, parts: Sequence[PartitionState], stalled: float
) -> list[tuple[int, str, str]]:
    """Partitions with a live owner that stand still while events wait (H35)."""
    before = await engine.store.now() - int(stalled * MICRO)
    still = []
    for p in parts:
        part = Partition(p.topic, p.partition)
        since = await _waiting_since(engine, [p])
        lines = [h for h in await engine.store.handled(part, p.position - 1) if h.group == group]
        if max([since or 0, *(line.time for line in lines)]) < before:
            still.append(p)
    if not still:
        return []
    return [(2, "stalled", f"no progress for {stalled:g} s on {_places(still)} though events wait and its owner lives")]


def _places(parts: Sequence[PartitionState]) -> str:
    """`order-events/3`, or how many of which topics."""
    if len(parts) <= 3:
        return ", ".join(f"{p.topic}/{p.partition}" for p in parts)
    return f"{len(parts)} partitions of {', '.join(sorted({p.topic for p in parts}))}"
