"""The commit of one unit: check every condition, then write every effect; a refused unit has written nothing.

    conditions   progress (Fenced, at once) · states · held sets · ids seen · timers (Conflict, all of them together)
    effects      progress and its ledger · rows · transactional handlers · numbers · streams · log · the rest

No savepoint is needed but around transactional handlers, and where an earlier try of the same transaction met a unit
whose write is impossible: then every unit gets one (`careful`), and the impossible one is Failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import apsw

from tidings.engine.sqlite import effects
from tidings.engine.sqlite.inside import Raised, Runner
from tidings.engine.sqlite.sql import SQL, row_of
from tidings.engine.sqlite.translate import is_files
from tidings.engine.sqlite.turn import Turn
from tidings.engine.unit import (
    Address,
    Answer,
    Committed,
    Conflict,
    Event,
    Failed,
    Fenced,
    Inner,
    Once,
    Partition,
    Unit,
)
from tidings.errors import TidingsError

STEP_LOOK, STREAM, STREAM_PLACE = SQL["step_look"], SQL["stream"], SQL["stream_place"]
PLAIN = Committed()
ONCE, TIMER_LOOK = SQL["once"], SQL["timer_look"]


class Spoiled(Exception):
    """A unit's own write is impossible: the shared transaction is rolled back and tried again, carefully."""


class Seen(Exception):
    """A transactional handler marks what was marked before."""

    def __init__(self, seen: dict[bytes, bytes]) -> None:
        super().__init__()
        self.seen = seen


class Doomed(Exception):
    """A unit or job failed so that SQLite took the whole transaction back (an interrupted write): again, without it."""

    def __init__(self, work: object, outcome: Any) -> None:
        super().__init__()
        self.work, self.outcome = work, outcome


def apply(turn: Turn, unit: Unit, runner: Runner, *, careful: bool = False) -> Answer:
    if careful or unit.inside:
        return _apart(turn, unit, runner, careful=careful)
    try:
        first = turn.pos
        if _is_plain(unit) and effects.append(turn, unit.events):
            return Committed(0, effects.receipt(unit.events, range(first, turn.pos))) if unit.receipt else PLAIN
        refusal, began = _check(turn, unit)
        return refusal or _write(turn, unit, unit.events, began)
    except Exception as error:
        if is_files(error):
            raise
        raise Spoiled from error


def _is_plain(u: Unit) -> bool:
    """Nothing but events."""
    return not (
        u.steps or u.expect or u.once or u.writes or u.notes or u.tally
        or u.fired or u.hold or u.finish or u.timers or u.cancel
    )  # fmt: skip


def _apart(turn: Turn, unit: Unit, runner: Runner, *, careful: bool) -> Answer:
    """Under a savepoint of its own."""
    if careful:
        turn.flush()
    mark = turn.mark()
    turn.c.execute(SQL["savepoint"])
    try:
        refusal, began = _check(turn, unit)
        answer = refusal or _write(turn, unit, unit.events, began, runner)
        if careful:
            turn.flush()
    except Exception as error:
        if is_files(error):
            raise
        answer = _refusal(error)
        if not turn.c.in_transaction:
            raise Doomed(unit, answer) from error
        turn.c.execute(SQL["back"])
        turn.back(mark)
    turn.c.execute(SQL["release"])
    return answer


def _refusal(error: Exception) -> Conflict | Failed:
    if isinstance(error, Seen):
        return Conflict(seen=error.seen)
    if isinstance(error, Raised):
        return Failed(error.text, error.cause)
    if isinstance(error, (apsw.Error, TidingsError)):
        return Failed(str(error))
    return Failed(repr(error))


# ---- conditions ----


def _check(turn: Turn, unit: Unit) -> tuple[Answer | None, Sequence[int]]:
    """The refusal, or None and since when the ledger's line of each step grows."""
    began: list[int] = []
    held: list[Partition] = []
    if unit.steps:
        fenced: list[Partition] = []
        c, tps, group = turn.c, turn.catalog.tps, unit.group
        for step in unit.steps:
            row = row_of(c, STEP_LOOK, (group, tps[step.partition.topic][step.partition.number]))
            if row is None or row[0] != step.epoch or row[1] != step.at:
                fenced.append(step.partition)
            elif row[2] != step.held_gen:
                held.append(step.partition)
            else:
                began.append(row[3])
        if fenced:
            return Fenced(fenced), began
    states = _moved(turn, unit)
    if states and (again := _again(turn, unit)):
        return again, began
    seen = _seen(turn, unit.once) if unit.once else {}
    gone = [t.name for t in unit.fired if _timer(turn, unit.group, t.name) != (t.due, t.attempt)] if unit.fired else ()
    return Conflict(states, held, seen, gone) if states or held or seen or gone else None, began


def _moved(turn: Turn, unit: Unit) -> list[Address]:
    """States that are not as expected, and streams that moved under an event that names its place."""
    states = [a for a, version in unit.expect.items() if _version(turn, a) != version] if unit.expect else []
    ends: dict[Address, int] = {}
    for event in unit.events:
        address = event.stream
        if address is not None:
            if address not in ends:
                ends[address] = _version(turn, address)
            ends[address] += 1
            if event.version and event.version != ends[address] and address not in states:
                states.append(address)
    return states


def _version(turn: Turn, address: Address) -> int:
    table = turn.catalog.tables.get(address.space)
    if table is not None:
        row = row_of(turn.c, table.version, (address.key,))
        return int(row[0]) if row else 0
    row = row_of(turn.c, STREAM, address)
    return int(row[1]) if row else 0


def _again(turn: Turn, unit: Unit) -> Committed | None:
    """The first answer, where these very events are at these very places: their ids are idempotency keys (H08).
    A unit with steps is told apart by its progress instead."""
    mine = [e for e in unit.events if e.stream is not None and e.version]
    if not mine or unit.steps:
        return None
    places: dict[bytes, int] = {}
    for event in mine:
        stream = row_of(turn.c, STREAM, event.stream or ())
        row = row_of(turn.c, STREAM_PLACE, (stream[0], event.version)) if stream else None
        if row is None or row[0] != event.id:
            return None
        places[event.id] = row[1]
    offsets = [places.get(event.id) for event in unit.events]
    return Committed(receipt=effects.receipt(unit.events, offsets) if unit.receipt else "", again=True)


def _seen(turn: Turn, once: Sequence[Once]) -> dict[bytes, bytes]:
    found = ((o.id, row_of(turn.c, ONCE, (o.scope, o.id))) for o in once)
    return {name: row[0] for name, row in found if row is not None}


def _timer(turn: Turn, group: str, name: str) -> tuple[int, int] | None:
    row = row_of(turn.c, TIMER_LOOK, (group, name))
    return (row[0], row[1]) if row else None


# ---- effects ----


def _write(
    turn: Turn, unit: Unit, events: Sequence[Event], began: Sequence[int], runner: Runner | None = None
) -> Committed:
    if unit.steps:
        effects.progress(turn, unit, began)
    stamp = effects.rows(turn, unit.writes) if unit.writes else 0
    once: list[tuple[Once, int]] = [(o, 0) for o in unit.once] if unit.once else []
    if unit.inside and runner is not None:
        events = list(events)
        for inside in unit.inside:
            told = runner.run(turn.c, inside)
            _new(turn, told, once, inside.cause)
            once += [(o, len(events)) for o in told.once]
            events += told.events
    offsets: Sequence[int | None] = ()
    if once or unit.receipt or not effects.append(turn, events):
        offsets = effects.tell(turn, events)
    if once:
        effects.once(turn, once, events, offsets)
    effects.rest(turn, unit)
    return Committed(stamp, effects.receipt(events, offsets) if unit.receipt else "")


def _new(turn: Turn, told: Inner, once: Sequence[tuple[Once, int]], cause: int) -> None:
    """What a transactional handler marks must be new: a condition that only the handler could tell."""
    if seen := _seen(turn, told.once):
        raise Seen(seen)
    before = {(o.scope, o.id) for o, _ in once}
    twice = [o.id for o in told.once if (o.scope, o.id) in before]
    if twice:
        raise Raised(f"marked twice in one unit: {', '.join(name.hex() for name in twice)}", cause)
