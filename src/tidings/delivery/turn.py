"""One batch on its way: decide, commit, act on the answer, until everything in it is durable, held, or another's.

decide   handlers run against the session; what they return is applied to it, nothing else happens
commit   one unit: effects of all decisions, progress, held events, notes, under all their conditions
answer   Committed  it is done
         Fenced     somebody else has those partitions: drop what is theirs, decide again what built on it
         Conflict   states moved: decide again the events that touched them, and what built on those
         Failed     one event's own write is impossible: that event fails, the others go on
         Unknown    nobody knows: everything is dropped, the member claims again and reads the truth
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Protocol, cast

from msgspec import Struct, structs

from tidings.clock import Clock
from tidings.delivery.decision import Decision, Kind
from tidings.delivery.decisions import Decisions, held_of
from tidings.delivery.failure import Verdict, is_ours, judge, say
from tidings.delivery.heldset import HeldSet
from tidings.delivery.intake import Work
from tidings.delivery.lanes import run_lanes
from tidings.delivery.limits import Limits
from tidings.delivery.session import UNREAD, Look
from tidings.delivery.subscription import Arrival
from tidings.delivery.unit import unit_of
from tidings.engine.port import Store
from tidings.engine.unit import (
    Address,
    Answer,
    Claim,
    Committed,
    Conflict,
    Failed,
    Fenced,
    Inner,
    Inside,
    Partition,
    Timer,
    Transaction,
    Unit,
    Unknown,
)
from tidings.errors import Poison, Rejected

log = logging.getLogger("tidings.delivery")
LONGEST = 300_000_000  # microseconds until a timer that failed comes again: a timer is never given up


class Lost(Exception):
    """The answer of a commit is unknown. Nothing that was decided may be used."""


class Split(Exception):
    """A write of this turn is impossible, and nobody knows whose: halve the turn and find it."""


class Late(Struct, eq=False):
    """A slow handler that ended after its turn: its decision, and kind and version of each state that it rests on.

    `task`: which run of it this was; it counts only while its member still knows just this one as running.
    """

    task: asyncio.Task[None] | None
    arrival: Arrival
    decision: Decision | None
    error: BaseException | None
    states: Mapping[Address, tuple[Kind, int]]


class Host(Protocol):
    """What a turn needs of its member."""

    group: str
    store: Store
    clock: Clock
    limits: Limits
    gate: asyncio.Semaphore

    @property
    def claims(self) -> Mapping[Partition, Claim]: ...

    @property
    def held(self) -> Mapping[Partition, HeldSet]: ...

    def fenced(self, partitions: Iterable[Partition]) -> None: ...

    async def refresh(self, partitions: Iterable[Partition]) -> None: ...

    def keep_running(self, arrival: Arrival, task: asyncio.Task[None]) -> None: ...

    def abandon(self, arrival: Arrival) -> None: ...

    def finished_late(self, late: Late) -> None: ...

    def settled(self, unit: Unit) -> None: ...

    def reached(self, point: str) -> None: ...


class Turn:
    def __init__(self, host: Host, work: Work) -> None:
        self.host = host
        self.work = work
        self.decided = Decisions(work)
        self.session = self.decided.session
        self.detached: dict[int, Arrival] = {}  # slower than this turn: they go on alone
        self._serial = asyncio.Lock()  # of handlers that run again because another one changed what they had read

    async def run(self) -> None:
        await self.decide(self.work.arrivals)
        if self.work.arrivals:
            self.host.reached("member.decided")
        await self.commit()

    # ---- decide ----

    async def decide(self, arrivals: Sequence[Arrival]) -> None:
        now = await self.host.store.now()
        arrivals = await self._load(arrivals, now)
        if all(a.runner.mode == "inline" for a in arrivals):
            for arrival in arrivals:
                if not self.decided.behind(arrival) and not self.decided.repeats(arrival):
                    self._inline(arrival, now)
            return
        running, rest = await run_lanes(arrivals, self._one, self.host.gate, self.host.clock, self.host.limits.slow)
        for arrival, task in running:
            self.detached[arrival.number] = arrival
            self.host.keep_running(arrival, task)
            if arrival.timer is None:
                self.decided.hold(arrival, held_of(arrival, now, arrival.attempt - 1, "running"))
        for arrival in rest:
            if arrival.timer is None:
                self.decided.hold(arrival, held_of(arrival, 0, arrival.attempt - 1))
        self._leave_timers({a.number for a in (*(a for a, _ in running), *rest) if a.timer is not None})

    def _leave_timers(self, numbers: set[int]) -> None:
        """A timer is never held: until it is done it stays where it is, and due."""
        if numbers:
            self.work.arrivals = [a for a in self.work.arrivals if a.number not in numbers]

    async def _load(self, arrivals: Sequence[Arrival], now: int) -> Sequence[Arrival]:
        """All states that are sure to be needed, in one go; where that fails, one by one, to find whose fault it is."""
        wanted: dict[Address, Kind] = {}
        try:
            for arrival in arrivals:
                wanted.update(arrival.runner.needs(arrival.message, arrival.head))
            if wanted:
                await self.session.load(wanted)
        except BaseException as error:
            if is_ours(error):
                raise
            return [a for a in arrivals if await self._loaded(a, now)]
        return arrivals

    async def _loaded(self, arrival: Arrival, now: int) -> bool:
        try:
            await self.session.load(arrival.runner.needs(arrival.message, arrival.head))
        except BaseException as error:
            if is_ours(error):
                raise
            if not self.decided.behind(arrival):
                self._fail(arrival, error, now)
            return False
        return True

    def _inline(self, arrival: Arrival, now: int) -> None:
        if arrival.muted and not arrival.runner.keeps:
            self.decided.apply(arrival, Decision(outcome="muted"))
            return
        try:
            decision = cast("Decision", arrival.runner.run(arrival, Look(self.session)))
        except BaseException as error:
            if is_ours(error):
                raise
            self._fail(arrival, error, now)
            return
        self._apply(arrival, decision)

    async def _one(self, arrival: Arrival) -> None:
        """One arrival in its lane; a state that moved under it in this turn makes it run again."""
        if self.decided.behind(arrival) or self.decided.repeats(arrival):
            return
        if arrival.runner.mode == "inline" or (arrival.muted and not arrival.runner.keeps):
            self._inline(arrival, await self.host.store.now())
            return
        if not await self._attempt(arrival):
            async with self._serial:  # one by one, or fifty handlers of one row would run each other over and over
                arrival.anew()
                while not await self._attempt(arrival):
                    arrival.anew()

    async def _attempt(self, arrival: Arrival) -> bool:
        """Run the handler once. False where a state that it read moved meanwhile, and it has to run again."""
        try:
            decision = await cast("Awaitable[Decision]", arrival.runner.run(arrival, Look(self.session)))
        except BaseException as error:
            if is_ours(error):
                raise
            if arrival.number in self.detached:
                self.host.finished_late(Late(asyncio.current_task(), arrival, None, error, {}))
            else:
                self._fail(arrival, error, await self.host.store.now())
            return True
        if arrival.number in self.detached:
            self.host.finished_late(Late(asyncio.current_task(), arrival, decision, None, self._states(decision)))
            return True
        if self.session.fits(decision):
            self._apply(arrival, decision)
            return True
        return False

    def _states(self, decision: Decision) -> dict[Address, tuple[Kind, int]]:
        """What a late decision rests on; a state that an event of this turn changed can never match."""
        cells, fits = self.session.cells, self.session.fits(decision)
        return {
            a: (cells[a].kind, cells[a].version if fits and not cells[a].dirty and not cells[a].appended else UNREAD)
            for a in decision.reads
            if a in cells
        }

    async def adopt(self, late: Late) -> None:
        """Take over the decision of a slow handler, if what it rests on still stands; else it runs again."""
        arrival, now = late.arrival, await self.host.store.now()
        if late.decision is None:
            self._fail(arrival, late.error or Poison("it ended without an answer"), now)
            return
        await self.session.load({a: kind for a, (kind, _) in late.states.items()})
        cells = self.session.cells
        gone = len(late.states) < len(late.decision.reads)
        if gone or any(cells[a].version != version for a, (_, version) in late.states.items()):
            arrival.anew()
            await self.decide([arrival])
            return
        self._apply(arrival, structs.replace(late.decision, reads={a: cells[a].stamp for a in late.states}))

    def _apply(self, arrival: Arrival, decision: Decision) -> None:
        if arrival.muted:
            decision = structs.replace(
                decision, events=[], timers=[], cancel=[], appends={}, inside=_mute(decision.inside)
            )
        self.decided.apply(arrival, decision)

    def _fail(self, arrival: Arrival, error: BaseException, now: int) -> None:
        verdict = judge(error, arrival.runner.retry, arrival.attempt)
        if arrival.timer is not None:
            self.decided.failed[arrival.number] = _rearm(arrival.timer, verdict, now)
            log.warning(
                "group %s: timer %s failed and comes again: %s", self.host.group, arrival.timer.name, verdict.error
            )
            return
        due = None if verdict.wait is None else now + verdict.wait
        if due is None:
            end = "pauses its partition" if verdict.pause else "is parked"
            say(self.host.group, arrival.head.name, arrival.key, verdict.error, error, end)
        if verdict.pause:
            self.work.pauses[arrival.partition] = f"by its retry policy: {verdict.error}"
            due = now
        self.decided.hold(arrival, held_of(arrival, due, arrival.attempt, verdict.error))

    # ---- commit ----

    async def commit(self) -> None:
        kept: set[tuple[Partition, int]] = set()
        try:
            while (unit := unit_of(self.host.group, self.decided, self.host.claims)) is not None:
                answer = (await self.host.store.commit([unit]))[0]
                if isinstance(answer, Committed):
                    kept = {(held.partition, held.offset) for held in unit.hold} if self.detached else kept
                    self.host.reached("member.committed")
                    self.host.settled(unit)
                    await self.session.settle()
                    return
                await self._refused(answer)
        finally:
            self._abandon(kept)

    def _abandon(self, kept: set[tuple[Partition, int]]) -> None:
        """A slow event whose holding was not kept comes again from the log: what runs of it now must not count."""
        for arrival in self.detached.values():
            if arrival.timer is None and arrival.place not in kept:
                self.host.abandon(arrival)

    async def _refused(self, answer: Answer) -> None:
        match answer:
            case Fenced(partitions):
                self.host.fenced(partitions)
                await self._again(self.decided.drop(set(partitions)))
            case Conflict():
                await self._conflict(answer)
            case Failed(error, cause):
                await self._impossible(error, cause)
            case Unknown(error):
                raise Lost(error)
            case Committed():
                return

    async def _again(self, moved: set[Address]) -> None:
        """States moved: decide again whoever touched them, until nothing decided stands on anything old."""
        while moved:
            redo = self.decided.take_back(moved)
            if redo:
                self.work.tally["redecided"] += len(redo)
                for arrival in redo:
                    arrival.anew()
                await self.decide(redo)
            moved = self.decided.overtaken()

    async def _conflict(self, answer: Conflict) -> None:
        moved = set(answer.states)
        if answer.held:
            await self.host.refresh(answer.held)
            out = {p for p in answer.held if p not in self.host.claims or self.host.claims[p].paused}
            moved |= self.decided.drop(out)
        gone = {a.number for a in self.work.arrivals if a.timer is not None and a.timer.name in answer.gone}
        moved |= self.decided.remove(gone)
        self.work.arrivals = [a for a in self.work.arrivals if a.number not in gone]
        self.work.rearmed = [r for r in self.work.rearmed if r[0].name not in answer.gone]
        for arrival in self.work.arrivals:
            if arrival.head.id in answer.seen and arrival.number in self.decided.applied:
                moved |= self.decided.remove({arrival.number})  # done before, under this id: its effects stand
                self.decided.apply(arrival, Decision(outcome="duplicate"))
        await self._again(moved)

    async def _impossible(self, error: str, cause: int | None) -> None:
        if cause is None:
            applied = list(self.decided.applied)
            if len(applied) != 1:
                raise Split(error) if applied else Lost(error)
            cause = applied[0]
        arrival, failed = self.decided.arrival(cause), self.decided.applied[cause]
        why = failed.raised[-1] if failed.raised else Poison(error)
        moved = self.decided.remove({cause})
        if isinstance(why, Rejected) and failed.refuse is not None:
            self._apply(arrival, failed.refuse(why))
        else:
            self._fail(arrival, why, await self.host.store.now())
        await self._again(moved | self.decided.overtaken())


def _rearm(timer: Timer, verdict: Verdict, now: int) -> Timer:
    wait = verdict.wait if verdict.wait is not None else LONGEST
    return structs.replace(timer, due=now + wait, attempt=timer.attempt + 1)


def _mute(inside: Inside | None) -> Inside | None:
    """A transactional handler in a muted replay: its SQL is done, what it tells is not told again."""
    if inside is None:
        return None

    def run(tx: Transaction) -> Inner:
        inside.run(tx)
        return Inner()

    return structs.replace(inside, run=run)
