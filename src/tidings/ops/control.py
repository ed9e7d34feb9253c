"""What an operator does to a group: pause, resume, reset, remove. Each deed is audited by the store.

A reset never happens by halves: progress, held events, timers, duplicate marks and the tables of a projection change in
one commit, and every member of the group is fenced by it and claims again. A projection resets only to its start, with
its tables emptied. Any other group tells, asks and writes again what it hears again, so whoever resets it must say
whether those effects happen (`again`) or not (`muted`: only rows are kept, nothing is told).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Raw, Struct

from tidings.clock import from_micro
from tidings.domain.answers import answers_topic
from tidings.domain.program import Group, Program
from tidings.domain.runtime import Runtime
from tidings.engine.port import Engine, Progress
from tidings.engine.unit import Committed, Fenced, Note, Partition, Step, Unit
from tidings.errors import Conflict, Corrupt, Refused, Truncated, Unavailable, did_you_mean
from tidings.ops.groups import OPERATOR, TRUNCATED, groups, unknown_group
from tidings.ops.places import Place, offsets
from tidings.ops.words import plural

ResetEffects: TypeAlias = Literal["muted", "again"]
TRIES = 10  # at a partition whose owner claims it at the same time


class Deed(Struct, frozen=True):
    """What an operator did, and what it was about, as the store wrote it down in the same commit."""

    time: datetime
    who: str
    act: str
    group: str
    detail: Raw


async def deeds(engine: Engine, limit: int = 100) -> list[Deed]:
    """What operators did, newest first."""
    return [
        Deed(from_micro(a.time), a.who, a.act, a.group, Raw(a.detail.encode())) for a in await engine.store.acts(limit)
    ]


async def pause(engine: Engine, group: str, reason: str = "") -> list[Partition]:
    """Stop the group where it stands, on every partition that is not paused already; gives those it paused."""
    rows = await _rows(engine, group)
    mine = [r.partition for r in rows if not r.paused]
    if mine:
        await engine.store.set_paused(group, mine, OPERATOR + (reason or "paused"))
    return mine


async def resume(engine: Engine, group: str, *, accept_loss: bool = False) -> list[Partition]:
    """Let it go on; gives the partitions that were paused.

    Where the next events are gone (retention) or damaged, that is only done with `accept_loss`: it then goes on behind
    them, with a note of what was lost; held events and timers stay. Raises Refused otherwise.
    """
    rows = [r for r in await _rows(engine, group) if r.paused]
    behind = {r.partition: to for r in rows if (to := await _behind_loss(engine, r)) is not None}
    if behind and not accept_loss:
        by = "retention" if any(str(r.paused).startswith(TRUNCATED) for r in rows) else "damage"
        raise Refused(
            f"group {group!r} lost events to {by}: {', '.join(_why(r) for r in rows if r.partition in behind)}",
            hint=f"`tidings resume {group} --accept-loss` goes on with the first ones that are left",
        )
    for part, to in behind.items():
        await _leap(engine, group, part, to)
    if rows:
        await engine.store.set_paused(group, [r.partition for r in rows], None)
    return [r.partition for r in rows]


async def _behind_loss(engine: Engine, row: Progress) -> int | None:
    """Where the first event lies that can still be read, if the next ones cannot."""
    to = row.next
    while True:
        try:
            await engine.log.read({row.partition: to}, 1)
        except Truncated as error:
            to = error.first
        except Corrupt as error:
            to = error.offset + 1
        else:
            break
    return to if to != row.next or str(row.paused).startswith(TRUNCATED) else None


async def _leap(engine: Engine, group: str, part: Partition, to: int) -> None:
    """Progress passes what is lost, as an owner's would: a reset would forget held events and timers too."""
    for _ in range(TRIES):
        (claim,) = await engine.store.claim(group, "operator", {part: to})
        if to > claim.next:
            step = Step(part, claim.epoch, claim.held_gen, claim.next, to)
            note = Note(part, claim.next, "dropped", f"lost with the events before {to}: an operator accepted it")
            answer = (await engine.store.commit([Unit(group=group, steps=[step], notes=[note])]))[0]
            if isinstance(answer, Fenced):  # its owner claimed it again in between
                continue
            if not isinstance(answer, Committed):
                raise Unavailable(f"the loss on {_name(part)} could not be kept: {answer}", hint="try again")
        await engine.store.release([claim])
        return
    raise Conflict(f"{_name(part)} is claimed by others again and again", hint="pause its workers, and try again")


async def remove(engine: Engine, group: str) -> int:
    """End the registration of a group: progress, held events, timers, counters. How many partitions it had.

    Raises Refused while a member of it lives, which would only begin it anew.
    """
    rows = await _rows(engine, group)
    state = (await groups(engine, group))[0]
    living = [m.name for m in state.members if m.alive]
    if living:
        raise Refused(f"group {group!r} is running: {', '.join(living)}", hint="stop its workers first")
    await engine.store.remove(group)
    return len(rows)


# ---- reset ---------------------------------------------------------------------------------------------------------


class Moved(Struct, frozen=True):
    """One partition: from which offset to which, and how many events lie after each."""

    topic: str
    partition: int
    at: int
    to: int
    lag: int
    lag_after: int


class Reset(Struct, frozen=True):
    """What a reset does. `again`: events that will be handled again (below 0: skipped). `cleared`: tables emptied."""

    group: str
    projection: bool
    muted: bool
    cleared: Sequence[str]
    again: int
    held: int
    partitions: Sequence[Moved]
    done: bool


async def reset(
    runtime: Runtime, group: str, place: Place, effects: ResetEffects | None = None, *, dry_run: bool = False
) -> Reset:
    """Move a group of this program to a place in the log. With `dry_run` nothing changes.

    Raises Refused for a group that the program has not, a projection that shall go anywhere but to the start, and a
    step back of any other group without `effects`.
    """
    mine = _group(runtime.program, group)
    engine = runtime.engine
    to = await offsets(engine, topics_of(mine), place)
    rows = {r.partition: r for r in await engine.store.progress(group)}
    moved = await _moves(engine, to, rows)
    if mine.projection is not None and place != "start":
        raise Refused(
            f"{group!r} is a projection: it resets only to its start, with its tables emptied",
            hint="--to start; a fold that begins in the middle gives rows that no rebuild would give",
        )
    back = any(m.to < m.at for m in moved)
    if mine.projection is None and back and effects is None:
        raise Refused(
            f"{group!r} would hear {plural(sum(m.lag_after - m.lag for m in moved), 'event')} again: "
            "shall their effects happen again?",
            hint="--effects again: everything is told and asked once more; --effects muted: only rows are written",
        )
    cleared = await _tables(runtime, mine)
    muted = mine.projection is None and effects == "muted"
    if not dry_run:
        await engine.store.move(group, to, cleared, muted=muted)
    again = sum(m.lag_after - m.lag for m in moved)
    held = sum(r.held for r in rows.values())
    return Reset(group, mine.projection is not None, muted, cleared, again, held, moved, not dry_run)


def topics_of(group: Group) -> list[str]:
    """Every topic that the group reads, the one with refusals for its sagas too."""
    return [*group.topics, *[answers_topic(group.service.name)] * bool(group.sagas)]


def _group(program: Program, name: str) -> Group:
    found = {g.name: g for g in program.groups}
    if name not in found:
        raise Refused(f"{program.name!r} has no group {name!r}", hint=did_you_mean(name, found))
    return found[name]


async def _moves(engine: Engine, to: Mapping[Partition, int], rows: Mapping[Partition, Progress]) -> list[Moved]:
    first = {e.partition: e.first for e in await engine.log.extents(sorted({p.topic for p in to}))}
    at = {p: rows[p].next if p in rows else first[p] for p in to}
    before, after = await engine.log.lag(at), await engine.log.lag(to)
    return [Moved(*p, at[p], to[p], before[p], after[p]) for p in sorted(to)]


async def _tables(runtime: Runtime, group: Group) -> list[str]:
    if group.projection is None:
        return []
    names = [runtime.program.tables[row].name for row in group.projection.rows]
    if group.projection.ddl is not None:
        names += await runtime.engine.store.script(group.name, group.projection.ddl)
    return names


async def _rows(engine: Engine, group: str) -> Sequence[Progress]:
    rows = await engine.store.progress(group)
    if not rows:
        raise unknown_group(group, sorted({p.group for p in await engine.store.progress()}))
    return rows


def _why(row: Progress) -> str:
    return f"{_name(row.partition)}, {row.paused}"


def _name(part: Partition) -> str:
    return f"{part.topic}/{part.number}"
