"""One batch on its way: decide, commit, act on the answer, until everything in it is durable, held, or another's.

decide   handlers run against the session; what they return is applied to it, nothing else happens
commit   one unit: effects of all decisions, progress, held events, notes, under all their conditions
answer   Committed  it is done
         Fenced     somebody else has those partitions: drop what is theirs, decide again what built on it
         Conflict   states moved: decide again the events that touched them, and what built on those (a closure)
         Failed     one event's own write is impossible: that event fails, the others go on
         Unknown    nobody knows: everything is dropped, the member claims again and reads the truth
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable, Mapping
from typing import Protocol, cast

from msgspec import Struct, structs

from tidings.clock import Clock
from tidings.delivery.failure import Verdict, judge
from tidings.delivery.heldset import HeldSet
from tidings.delivery.intake import Work
from tidings.delivery.lanes import run_lanes
from tidings.delivery.limits import Limits
from tidings.delivery.session import UNREAD, Look, Session
from tidings.delivery.subscription import Arrival, Decision
from tidings.engine.port import Store
from tidings.engine.unit import (
    Address,
    Answer,
    Claim,
    Committed,
    Conflict,
    Failed,
    Fenced,
    Held,
    Note,
    Once,
    Partition,
    Step,
    Timer,
    Unit,
    Unknown,
)
from tidings.errors import Poison, Rejected


class Lost(Exception):
    """The answer of a commit is unknown. Nothing that was decided may be used."""


class Split(Exception):
    """A write of this turn is impossible, and nobody knows whose: halve the turn and find it."""


class Late(Struct, eq=False):
    """A slow handler that ended after its turn: its decision, and the versions of the states that it rests on."""

    arrival: Arrival
    decision: Decision | None
    error: BaseException | None
    versions: Mapping[Address, int]


class Host(Protocol):
    """What a turn needs of its member."""

    group: str
    store: Store
    clock: Clock
    limits: Limits
    claims: dict[Partition, Claim]
    held: dict[Partition, HeldSet]
    gate: asyncio.Semaphore

    def fenced(self, partitions: Iterable[Partition]) -> None: ...

    async def refresh(self, partitions: Iterable[Partition]) -> None: ...

    def keep_running(self, arrival: Arrival, task: asyncio.Task[None]) -> None: ...

    def finished_late(self, late: Late) -> None: ...

    def settled(self, unit: Unit, version: int) -> None: ...

    def reached(self, point: str) -> None: ...


class Turn:
    def __init__(self, host: Host, work: Work) -> None:
        self.host = host
        self.work = work
        self.session = Session()
        self.applied: dict[int, Decision] = {}  # in the order of application
        self.failed: dict[int, Held | Timer] = {}
        self.blocked: set[tuple[Partition, bytes | None]] = set()
        self.detached: set[int] = set()
        self.over = False

    async def run(self) -> None:
        await self.decide(self.work.arrivals)
        self.host.reached("member.decided")
        await self.commit()

    # ---- decide ----

    async def decide(self, arrivals: list[Arrival]) -> None:
        now = await self.host.store.now()
        arrivals = await self._load(arrivals, now)
        if all(a.runner.mode == "inline" for a in arrivals):
            for arrival in arrivals:
                if not self._behind(arrival):
                    self._inline(arrival, now)
            return
        running, rest = await run_lanes(arrivals, self._one, self.host.gate, self.host.clock, self.host.limits.slow)
        for arrival, task in running:
            self.detached.add(arrival.number)
            self._hold(arrival, self._held(arrival, now, arrival.attempt - 1, "running"))
            self.host.keep_running(arrival, task)
        for arrival in rest:
            self._hold(arrival, self._held(arrival, 0, arrival.attempt - 1))

    async def _load(self, arrivals: list[Arrival], now: int) -> list[Arrival]:
        """All states that are sure to be needed, in one go; where that fails, one by one, to find whose fault it is."""
        try:
            wanted = {}
            for arrival in arrivals:
                wanted.update(arrival.runner.needs(arrival.message, arrival.head))
            if wanted:
                await self.session.load(wanted)
        except Exception:  # noqa: BLE001 -- user code: By functions, folds
            good = []
            for arrival in arrivals:
                try:
                    await self.session.load(arrival.runner.needs(arrival.message, arrival.head))
                    good.append(arrival)
                except Exception as error:  # noqa: BLE001
                    if not self._behind(arrival):
                        self._fail(arrival, error, now)
            return good
        return arrivals

    def _behind(self, arrival: Arrival) -> bool:
        """An earlier event of its key failed in this turn: it queues behind."""
        if (arrival.partition, arrival.key) in self.blocked and not arrival.held and arrival.timer is None:
            self._hold(arrival, self._held(arrival, 0, arrival.attempt - 1))
            return True
        return False

    def _inline(self, arrival: Arrival, now: int) -> None:
        if arrival.muted and not arrival.runner.keeps:
            self.applied[arrival.number] = Decision(outcome="muted")
            return
        look = Look(self.session)
        try:
            decision = cast("Decision", arrival.runner.run(arrival, look))
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- whatever a handler raises is judged
            self._fail(arrival, error, now)
            return
        self._apply(arrival, decision)

    async def _one(self, arrival: Arrival) -> None:
        """One arrival in its lane; a state that moved under it in this turn makes it run again."""
        if self._behind(arrival):
            return
        if arrival.runner.mode == "inline":
            self._inline(arrival, await self.host.store.now())
            return
        if arrival.muted and not arrival.runner.keeps:
            self.applied[arrival.number] = Decision(outcome="muted")
            return
        while True:
            look = Look(self.session)
            try:
                decision = await cast("Awaitable[Decision]", arrival.runner.run(arrival, look))
            except (Exception, SystemExit) as error:  # noqa: BLE001
                if arrival.number in self.detached:
                    self.host.finished_late(Late(arrival, None, error, {}))
                else:
                    self._fail(arrival, error, await self.host.store.now())
                return
            if arrival.number in self.detached:
                self.host.finished_late(Late(arrival, decision, None, self._versions(decision)))
                return
            if self.session.fits(decision):
                self._apply(arrival, decision)
                return

    def _versions(self, decision: Decision) -> dict[Address, int]:
        """Versions under a late decision; one that another event of this turn changed can never match."""
        if not self.session.fits(decision):
            return dict.fromkeys(decision.reads, UNREAD)
        cells = self.session.cells
        return {a: UNREAD if cells[a].dirty or cells[a].appended else cells[a].version for a in decision.reads}

    async def adopt(self, late: Late) -> None:
        """Take over the decision of a slow handler, if what it rests on still stands; else it runs again."""
        arrival, now = late.arrival, await self.host.store.now()
        if late.decision is None:
            self._fail(arrival, late.error or Poison("it ended without an answer"), now)
            return
        await self.session.load(arrival.runner.needs(arrival.message, arrival.head))
        for address in late.versions:
            if address not in self.session.cells:
                await self.decide([arrival])
                return
        cells = self.session.cells
        if any(cells[a].version != version for a, version in late.versions.items()):
            await self.decide([arrival])
            return
        decision = structs.replace(late.decision, reads={a: cells[a].stamp for a in late.versions})
        self._apply(arrival, decision)

    def _apply(self, arrival: Arrival, decision: Decision) -> None:
        if arrival.muted:
            decision = structs.replace(decision, events=[], timers=[], cancel=[], appends={})
        self.session.apply(decision)
        self.applied[arrival.number] = decision

    # ---- fail and hold ----

    def _fail(self, arrival: Arrival, error: BaseException, now: int) -> None:
        verdict = judge(error, arrival.runner.retry, arrival.attempt)
        if arrival.timer is not None:
            self.failed[arrival.number] = self._rearm(arrival.timer, verdict, now)
            return
        due = None if verdict.wait is None else now + verdict.wait
        if verdict.pause:
            self.work.pauses[arrival.partition] = f"by its retry policy: {verdict.error}"
            due = now
        self._hold(arrival, self._held(arrival, due, arrival.attempt, verdict.error))

    def _hold(self, arrival: Arrival, held: Held) -> None:
        self.failed[arrival.number] = held
        self.blocked.add((arrival.partition, arrival.key))

    @staticmethod
    def _held(arrival: Arrival, due: int | None, attempt: int, error: str = "") -> Held:
        a = arrival
        return Held(a.partition, a.offset, a.time, a.key, a.packed, a.data, due, attempt, error)

    @staticmethod
    def _rearm(timer: Timer, verdict: Verdict, now: int) -> Timer:
        """A timer is never given up: it comes again, at the longest after five minutes."""
        wait = verdict.wait if verdict.wait is not None else 300_000_000
        return structs.replace(timer, due=now + wait, attempt=timer.attempt + 1)

    # ---- commit ----

    async def commit(self) -> None:
        while (unit := self.unit()) is not None:
            answer = (await self.host.store.commit([unit]))[0]
            if isinstance(answer, Committed):
                self.host.reached("member.committed")
                self.host.settled(unit, answer.version)
                await self.session.settle()
                return
            await self._refused(answer)

    async def _refused(self, answer: Answer) -> None:
        match answer:
            case Fenced(partitions):
                self.host.fenced(partitions)
                await self._take_back(set(partitions))
            case Conflict():
                await self._conflict(answer)
            case Failed(error, cause):
                await self._impossible(error, cause)
            case Unknown(error):
                raise Lost(error)
            case Committed():
                return

    async def _take_back(self, partitions: set[Partition]) -> None:
        """These partitions are not ours to finish: their events go, and whoever built on them decides again."""
        gone = {a.number for a in self.work.arrivals if a.partition in partitions}
        moved = self._remove(gone)
        self.work.drop(partitions)
        await self._again(moved)

    async def _conflict(self, answer: Conflict) -> None:
        if answer.held:
            await self.host.refresh(answer.held)
            out = {p for p in answer.held if p not in self.host.claims or self.host.claims[p].paused}
            if out:
                await self._take_back(out)
        void = {
            a.number
            for a in self.work.arrivals
            if (a.timer is not None and a.timer.name in answer.gone) or self._was_seen(a, answer)
        }
        moved = self._remove({n for n in void if self.work_of(n).timer is not None})
        for number in void:
            if self.work_of(number).timer is None:  # done before, under the same id: its effects stand already
                moved |= self._remove({number})
                self.applied[number] = Decision(outcome="duplicate")
        self.work.arrivals = [a for a in self.work.arrivals if a.timer is None or a.number not in void]
        await self._again(moved | set(answer.states))

    def work_of(self, number: int) -> Arrival:
        return next(a for a in self.work.arrivals if a.number == number)

    def _was_seen(self, arrival: Arrival, answer: Conflict) -> bool:
        decision = self.applied.get(arrival.number)
        return decision is not None and arrival.head.id in answer.seen

    def _remove(self, numbers: set[int]) -> set[Address]:
        """Forget decisions; gives the states that they had written."""
        moved: set[Address] = set()
        for number in numbers:
            decision = self.applied.pop(number, None)
            self.failed.pop(number, None)
            if decision is not None:
                moved |= decision.written()
        return moved

    async def _again(self, moved: set[Address]) -> None:
        """Decide again every event that touched these states, or states that such an event wrote: a closure."""
        states, numbers = set(moved), set[int]()
        while more := {n for n, d in self.applied.items() if n not in numbers and not states.isdisjoint(d.touched())}:
            numbers |= more
            for number in more:
                states |= self.applied[number].written()
        self._remove(numbers)
        self.session.forget(states)
        if numbers:
            self.work.tally["redecided"] += len(numbers)
            await self.decide([a for a in self.work.arrivals if a.number in numbers])

    async def _impossible(self, error: str, cause: int | None) -> None:
        now = await self.host.store.now()
        if cause is None:
            others = [a for a in self.work.arrivals if a.number in self.applied]
            if len(others) > 1:
                raise Split(error)
            cause = others[0].number if others else None
        if cause is None:
            raise Lost(error)  # no event of ours caused it
        arrival = self.work_of(cause)
        failed = self.applied[cause]
        why = failed.raised[-1] if failed.raised else Poison(error)
        moved = self._remove({cause})
        if isinstance(why, Rejected) and failed.refuse is not None:
            self._apply(arrival, failed.refuse(why))
        else:
            self._fail(arrival, why, now)
        await self._again(moved)

    # ---- the unit ----

    def unit(self) -> Unit | None:
        """Everything that is decided, as one unit; None where no partition is left."""
        work, claims = self.work, self.host.claims
        parts = dict.fromkeys([*work.ends, *(a.partition for a in work.arrivals)])
        gone = {p for p in parts if p not in claims}
        if gone:
            work.drop(gone)
            for number in [n for n in self.applied if all(a.number != n for a in work.arrivals)]:
                del self.applied[number]
        steps = []
        for part in parts:
            if part not in gone:
                claim = claims[part]
                marks = tuple(work.marks.get(part, {}).values())
                to = work.ends.get(part, claim.next)
                steps.append(Step(part, claim.epoch, claim.held_gen, claim.next, to, marks))
        if not steps:
            return None
        return self._fill(steps)

    def _fill(self, steps: list[Step]) -> Unit:
        work = self.work
        by_number = {a.number: a for a in work.arrivals}
        decisions = [(by_number[n], d) for n, d in self.applied.items() if n in by_number]
        tally = Counter(work.tally)
        events, once, notes = [], [], list(work.notes)
        alarms: dict[str, Timer | None] = {}
        inside = []
        for arrival, d in decisions:
            tally[d.outcome] += 1
            if d.outcome == "rejected":
                notes.append(Note(arrival.partition, arrival.offset, "rejected", d.text))
            if d.once:
                first = len(events)
                once += [Once(o.scope, o.id, o.memo, [first + n for n in o.tells]) for o in d.once]
            events += d.events
            if d.cancel or d.timers:
                alarms.update(dict.fromkeys(d.cancel))
                alarms.update((t.name, t) for t in d.timers)
            if d.inside is not None:
                inside.append(d.inside)
        failed = [(by_number[n], f) for n, f in self.failed.items() if n in by_number]
        for _, again in failed:
            if isinstance(again, Timer):
                alarms[again.name] = again
            elif again.error:
                tally["parked" if again.due is None else "retried"] += 1
        plain = [d for _, d in decisions]
        return Unit(
            group=self.host.group,
            steps=steps,
            expect=self.session.expect(plain),
            once=once,
            fired=[a.timer for a in work.arrivals if a.timer is not None],
            events=events,
            writes=self.session.writes(),
            hold=[*work.held, *(f for _, f in failed if isinstance(f, Held))],
            finish=[(a.partition, a.offset) for a, _ in decisions if a.held],
            timers=[t for t in alarms.values() if t is not None],
            cancel=[name for name, t in alarms.items() if t is None],
            inside=inside,
            notes=notes,
            tally=dict(tally),
        )
