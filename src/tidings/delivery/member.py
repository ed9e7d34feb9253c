"""One member of one group: takes its seat, claims partitions, hands batches to turns, looks after what is due.

    joined -> claimed -> (sleeping <-> turn) -> draining -> left

One task does everything that decides or commits, one thing after another, so a partition's units form a chain by
themselves. Beside it run only: a task that keeps the seat and hears of changes, a task that fetches, and awaited
handlers that are slower than a second. They leave what they have in a field and ring the bell.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from msgspec import structs

from tidings import signals
from tidings.clock import MICRO, Clock
from tidings.delivery.heldset import HeldSet
from tidings.delivery.history import History
from tidings.delivery.intake import NEWER, Intake, Work
from tidings.delivery.limits import Limits
from tidings.delivery.lossy import handle_lossy
from tidings.delivery.subscription import Arrival, Subscription
from tidings.delivery.turn import Late, Lost, Split, Turn
from tidings.engine.port import Change, Engine, Reader
from tidings.engine.unit import Batch, Claim, Committed, Held, Partition, Step, Unit
from tidings.errors import Corrupt, Truncated

log = logging.getLogger("tidings.delivery")
NEVER = 1 << 62
Probe: TypeAlias = Callable[[str, str], None]  # (group, point)
ATTEMPTS = 10  # deaths of a process with the same event in its hands, before that event is parked


class Member:
    def __init__(
        self,
        engine: Engine,
        subscription: Subscription,
        name: str,
        *,
        clock: Clock,
        limits: Limits,
        history: History | None = None,
        probe: Probe | None = None,
    ) -> None:
        self.engine, self.store, self.clock, self.limits = engine, engine.store, clock, limits
        self.subscription, self.group, self.name = subscription, subscription.group, name
        self.intake = Intake(subscription)
        self.history = history
        self.probe = probe
        self.gate = asyncio.Semaphore(limits.in_flight)
        self.reader: Reader | None = None
        self.claims: dict[Partition, Claim] = {}
        self.held: dict[Partition, HeldSet] = {}
        self.wish: set[Partition] = set()
        self.running: dict[tuple[Partition, int], asyncio.Task[None]] = {}
        self.suspects: set[Partition] = set()
        self.full: set[Partition] = set()  # stopped by their own held events
        self.busy = True
        self._late: list[Late] = []
        self._changes: list[Change] = []
        self._bell = asyncio.Event()
        self._stopping = False
        self._fetching: asyncio.Task[Sequence[Batch]] | None = None
        self._next_timer = NEVER
        self._dropped = 0
        self._beaten = clock.monotonic()

    def reached(self, point: str) -> None:
        """A named point: for the harness (any group), and for a test that wants just this group to die here."""
        signals.reached(point)
        if self.probe is not None:
            self.probe(self.group, point)

    # ---- life ----

    async def run(self) -> None:
        """Until `stop`. Raises what no group can live with: the caller starts another member then."""
        self.reader = await self.engine.log.join(self.group, self.subscription.topics, self.name)
        seats = asyncio.create_task(self._hear_changes(self.reader))
        try:
            while not self._stopping:
                if seats.done():
                    seats.result()
                await self._cycle(self.reader)
            await self._give_back(self.reader)
        finally:
            tasks = [seats, *self.running.values(), *([self._fetching] if self._fetching else [])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def stop(self) -> None:
        """Finish the turn at hand, give everything back, leave; `run` then returns."""
        self._stopping = True
        self._bell.set()

    async def _hear_changes(self, reader: Reader) -> None:
        while True:
            self._changes.append(await reader.change())
            self._bell.set()

    async def _cycle(self, reader: Reader) -> None:
        """One thing of each sort, most urgent first."""
        self._bell.clear()
        while self._changes:
            await self._reseat(reader, self._changes.pop(0))
        if self.clock.monotonic() - self._beaten >= self.limits.beat:
            await self._renew(reader)
        worked = await self._finish_late()
        now = await self.store.now()
        worked |= await self._run_due(reader, now)
        worked |= await self._run_fetched(reader)
        if not worked and not self._bell.is_set():
            await self._sleep(now)

    async def _sleep(self, now: int) -> None:
        left = self.limits.beat - (self.clock.monotonic() - self._beaten)
        due = self._next_due()
        if due < NEVER:
            left = min(left, (due - now) / MICRO)
        self.busy = False
        await self.clock.wait(self._bell, max(left, 0.001))
        self.busy = True

    def _next_due(self) -> int:
        soonest = self._next_timer
        for part, held in self.held.items():
            if part in self.claims and not self.claims[part].paused and len(held):
                due = held.next_due(o for p, o in self.running if p == part)
                soonest = min(soonest, NEVER if due is None else due)
        return soonest

    # ---- seats and claims ----

    async def _reseat(self, reader: Reader, change: Change) -> None:
        self.wish = (self.wish | change.gain) - change.drain - change.lost
        gone = [p for p in sorted(change.drain | change.lost)]
        if gone:
            await self._let_go(reader, gone, release=True)
            reader.done(gone)
        await self._claim(reader, sorted(change.gain))

    async def _claim(self, reader: Reader, parts: Sequence[Partition]) -> None:
        if not parts:
            return
        claims = await self.store.claim(self.group, self.name, await self._starts(parts))
        self.reached("member.claimed")
        newer = [c.partition for c in claims if c.paused and c.paused.startswith(NEWER)]
        if newer:  # this program may know what stopped the one before; if not, it pauses again
            await self.store.set_paused(self.group, newer, None)
            claims = [c for c in await self.store.renew(claims) if c is not None]
        await self._look_at_held(claims)
        for claim in claims:
            self.claims[claim.partition] = claim
            if claim.tries >= self.limits.suspect:
                self.suspects.add(claim.partition)
        self._next_timer = 0
        await self._plant_ticks(claims)
        reader.start([self.claims[c.partition] for c in claims])
        reader.pause([c.partition for c in claims if c.paused], True)

    async def _starts(self, parts: Sequence[Partition]) -> dict[Partition, int]:
        """Where a group begins that has no progress yet; the store ignores it for one that has."""
        start, topics = self.subscription.start, sorted({p.topic for p in parts})
        if isinstance(start, int):
            at = {p: o for t in topics for p, o in (await self.engine.log.at(t, start)).items()}
            return {p: at[p] for p in parts}
        extents = {e.partition: e for e in await self.engine.log.extents(topics)}
        return {p: extents[p].first if start == "beginning" else extents[p].next for p in parts}

    async def _look_at_held(self, claims: Sequence[Claim]) -> None:
        sets: dict[Partition, list[Held]] = {c.partition: [] for c in claims}
        for held in await self.store.held(claims, None, 10 * self.limits.held):
            sets[held.partition].append(held)
        for part, mine in sets.items():
            self.held[part] = HeldSet(mine)

    async def _plant_ticks(self, claims: Sequence[Claim]) -> None:
        """Timers that a service has from its first start on."""
        mine = {c.partition for c in claims}
        wanted = [t for t in self.subscription.ticks if t.partition in mine]
        if not wanted:
            return
        there = {t.name for t in await self.store.timers(claims, 10_000)}
        now = await self.store.now()
        lacking = [structs.replace(t, due=now + t.due) for t in wanted if t.name not in there]
        for timer in lacking:
            claim = self.claims[timer.partition]
            step = Step(timer.partition, claim.epoch, claim.held_gen, claim.next, claim.next)
            await self.store.commit([Unit(group=self.group, steps=[step], timers=[timer])])

    async def _let_go(self, reader: Reader, parts: Sequence[Partition], *, release: bool) -> None:
        """Stop working on these. What still runs gets a moment, then it is left to the next owner."""
        reader.stop(parts)
        tasks = [t for (p, _), t in self.running.items() if p in parts]
        if tasks and release:
            await asyncio.wait(tasks, timeout=self.limits.drain)
            await self._finish_late()
        for key in [k for k in self.running if k[0] in parts]:
            self.running.pop(key).cancel()
        claims = [self.claims.pop(p) for p in parts if p in self.claims]
        for part in parts:
            self.held.pop(part, None)
            self.suspects.discard(part)
            self.full.discard(part)
        if claims and release:
            await self.store.release(claims)
            self.reached("member.released")

    async def _give_back(self, reader: Reader) -> None:
        await self._let_go(reader, sorted(self.claims), release=True)
        await reader.leave()

    async def _renew(self, reader: Reader) -> None:
        """Compare with the truth: somebody may have claimed, paused, reset or re-driven while nothing was committed."""
        self._beaten = self.clock.monotonic()
        old = list(self.claims.values())
        for claim, truth in zip(old, await self.store.renew(old), strict=True):
            part = claim.partition
            if truth is None:
                self.fenced([part])
            elif (truth.held_gen, truth.paused) != (claim.held_gen, claim.paused):
                await self.refresh([part])
        await self._claim(reader, sorted(p for p in self.wish if p not in self.claims))

    def fenced(self, partitions: Iterable[Partition]) -> None:
        """Somebody else went on with these. Claimed again at the next beat, if they are still wished."""
        if self.reader is not None:
            self.reader.stop(list(partitions))
        for part in partitions:
            self.claims.pop(part, None)
            self.held.pop(part, None)
            for key in [k for k in self.running if k[0] == part]:
                self.running.pop(key).cancel()

    async def refresh(self, partitions: Iterable[Partition]) -> None:
        """An operator changed what is held, or paused: read it again."""
        mine = [self.claims[p] for p in partitions if p in self.claims]
        truth = await self.store.renew(mine)
        await self._look_at_held([c for c in truth if c is not None])
        for old, new in zip(mine, truth, strict=True):
            if new is None:
                self.fenced([old.partition])
                continue
            self.claims[new.partition] = structs.replace(new, next=old.next)
            if self.reader is not None and bool(new.paused) != bool(old.paused):
                self.reader.start([self.claims[new.partition]])
                self.reader.pause([new.partition], bool(new.paused))
        self._next_timer = 0

    # ---- what was fetched ----

    async def _run_fetched(self, reader: Reader) -> bool:
        if self._fetching is None:
            self._fetching = asyncio.create_task(reader.fetch(self._batch(), self.limits.fetch_bytes))
            self._fetching.add_done_callback(lambda _: self._bell.set())
            if not self._fetching.done():
                await asyncio.sleep(0)
        if not self._fetching.done():
            return False
        task, self._fetching = self._fetching, None
        try:
            batches = task.result()
        except (Truncated, Corrupt) as error:
            await self._pause(reader, {Partition(error.topic, error.partition): error.message})
            return True
        self.reached("member.fetched")
        mine = [b for b in batches if (c := self.claims.get(b.partition)) is not None and c.epoch == b.epoch]
        if mine:
            await self._handle(reader, mine)
        return True

    def _batch(self) -> int:
        """At-least-once effects cannot be taken back: commit often, so that a crash repeats few of them."""
        return self.limits.fetch if self.subscription.guarantee == "exactly-once" else min(self.limits.fetch, 50)

    async def _handle(self, reader: Reader, batches: Sequence[Batch]) -> None:
        suspect = [b for b in batches if b.partition in self.suspects]
        if suspect:
            await self._set_aside(suspect)
            batches = [b for b in batches if b.partition not in self.suspects]
        work = self.intake.read(batches, self.claims, self.held)
        self._tell("invoke", work)
        if self._dropped:
            work.tally["dropped"] += self._dropped
            self._dropped = 0
        if self.subscription.guarantee == "at-most-once":
            self._dropped += await handle_lossy(self, work)
        else:
            await self._turn(work)
        self._tell("ok", work)
        await self._pause(reader, work.pauses)
        self._check_room(reader)

    async def _turn(self, work: Work) -> None:
        try:
            await Turn(self, work).run()
        except Split:
            for half in halves(work):
                await self._turn(half)

    def _tell(self, what: str, work: Work) -> None:
        if self.history is not None and work.arrivals:
            events = [(a.partition.topic, a.partition.number, a.offset) for a in work.arrivals]
            self.history.write(what, self.group, events)

    async def _pause(self, reader: Reader, pauses: Mapping[Partition, str]) -> None:
        for part, reason in pauses.items():
            if part in self.claims:
                log.error("group %s pauses %s/%d: %s", self.group, *part, reason)
                reader.pause([part], True)
                await self.store.set_paused(self.group, [part], reason)
                await self.refresh([part])

    def _check_room(self, reader: Reader) -> None:
        """Too many held events: the partition stops until some are done (backpressure), others flow."""
        for part, held in self.held.items():
            full = len(held) >= self.limits.held or held.size >= self.limits.held_bytes
            if full != (part in self.full) and not self.claims[part].paused:
                (self.full.add if full else self.full.discard)(part)
                reader.pause([part], full)
                log.warning(
                    "group %s: %s/%d holds %d events, %s", self.group, *part, len(held), "stops" if full else "goes on"
                )

    # ---- what is due ----

    async def _run_due(self, reader: Reader, now: int) -> bool:
        """Held heads and timers whose time has come, of the partitions that are not paused."""
        claims = {p: c for p, c in self.claims.items() if not c.paused}
        work = Work()
        waiting = [
            c for p, c in claims.items() if len(h := self.held[p]) and (h.next_due(self._busy_offsets(p)) or 0) <= now
            and h.next_due(self._busy_offsets(p)) is not None
        ]  # fmt: skip
        if waiting:
            found = await self.store.held(waiting, now, self.limits.fetch)
            heads = [h for h in found if (h.partition, h.offset) not in self.running]
            for held in await self._suspected(heads, now):
                one = self.intake.again(len(work.arrivals), held, claims[held.partition].muted)
                if isinstance(one, Held):
                    work.held.append(one)
                    work.ends.setdefault(one.partition, claims[one.partition].next)
                else:
                    work.arrivals.append(one)
        if self._next_timer <= now:
            await self._due_timers(list(claims.values()), now, work)
        if not work.arrivals and not work.held:
            return False
        self._tell("invoke", work)
        await self._turn(work)
        self._tell("ok", work)
        await self._pause(reader, work.pauses)
        self._check_room(reader)
        return True

    def _busy_offsets(self, part: Partition) -> list[int]:
        return [o for p, o in self.running if p == part]

    async def _due_timers(self, claims: Sequence[Claim], now: int, work: Work) -> None:
        timers = await self.store.timers(claims, self.limits.fetch) if claims else []
        for timer in timers:
            if timer.due <= now:
                held = Held(timer.partition, -1, timer.due, timer.key, timer.head, timer.data, 0, timer.attempt)
                one = self.intake.again(len(work.arrivals), held, 0)
                if isinstance(one, Arrival):
                    one.held, one.timer = False, timer
                    work.arrivals.append(one)
                else:
                    log.error("group %s: timer %s cannot be read: %s", self.group, timer.name, one.error)
        self._next_timer = next((t.due for t in timers if t.due > now), NEVER)

    async def _set_aside(self, batches: Sequence[Batch]) -> None:
        """A batch of this partition seems to kill its process: hold all of it, and run it one by one."""
        for batch in batches:
            work = self.intake.read([batch], self.claims, self.held)
            work.held += [Turn._held(a, 0, 0) for a in work.arrivals]
            work.arrivals = []
            await self._turn(work)

    async def _suspected(self, heads: Sequence[Held], now: int) -> Sequence[Held]:
        """Of suspect partitions only one head at a time, its attempt counted before it runs."""
        calm = [h for h in heads if h.partition not in self.suspects]
        risky = [h for h in heads if h.partition in self.suspects]
        self.suspects -= {p for p in self.suspects if p in self.held and not len(self.held[p])}
        if not risky:
            return calm
        head = risky[0]
        tried = head.attempt + 1
        parked = tried > ATTEMPTS
        error = f"its process died {ATTEMPTS} times while it was handled" if parked else head.error
        counted = structs.replace(head, attempt=tried, due=None if parked else now, error=error)
        claim = self.claims[head.partition]
        step = Step(head.partition, claim.epoch, claim.held_gen, claim.next, claim.next)
        unit = Unit(group=self.group, steps=[step], hold=[counted])
        if not isinstance((await self.store.commit([unit]))[0], Committed):
            await self.refresh([head.partition])
            return calm
        self.settled(unit, 0)
        return calm if parked else [*calm, structs.replace(counted, attempt=head.attempt)]

    # ---- slow handlers ----

    def keep_running(self, arrival: Arrival, task: asyncio.Task[None]) -> None:
        self.running[arrival.partition, arrival.offset] = task

    def finished_late(self, late: Late) -> None:
        self._late.append(late)
        self._bell.set()

    async def _finish_late(self) -> bool:
        late, self._late = self._late, []
        for each in late:
            arrival = each.arrival
            self.running.pop((arrival.partition, arrival.offset), None)
            if arrival.partition not in self.claims:
                continue
            arrival.number, arrival.held = 0, True
            turn = Turn(self, Work(arrivals=[arrival]))
            await turn.adopt(each)
            await turn.commit()
        return bool(late)

    # ---- after a commit ----

    def settled(self, unit: Unit, version: int) -> None:
        """A unit of ours is durable: claims and held sets follow."""
        touched = {h.partition for h in unit.hold} | {p for p, _ in unit.finish}
        for part, offset in unit.finish:
            self._forget_held(part, offset)
        for held in unit.hold:
            if held.partition in self.held:
                self.held[held.partition].put(held)
        for step in unit.steps:
            claim = self.claims.get(step.partition)
            if claim is not None and claim.epoch == step.epoch:
                self.claims[step.partition] = structs.replace(
                    claim,
                    next=step.to,
                    held_gen=claim.held_gen + (step.partition in touched),
                    tries=0 if step.to != step.at else claim.tries,
                    marks=tuple({m.source: m for m in (*claim.marks, *step.marks)}.values()),
                )
        for timer in unit.timers:
            self._next_timer = min(self._next_timer, timer.due)

    def _forget_held(self, part: Partition, offset: int) -> None:
        held = self.held.get(part)
        if held is not None:
            held.drop(offset)


def halves(work: Work) -> list[Work]:
    """The same work as two turns, in order; notes, marks and what is held already go with the first."""
    middle = len(work.arrivals) // 2
    first, second = work.arrivals[:middle], work.arrivals[middle:]
    for number, arrival in enumerate(second):
        arrival.number = number
    ends = dict(work.ends)
    for arrival in reversed(second):
        if not arrival.held and arrival.timer is None:
            ends[arrival.partition] = arrival.offset
    early = Work(first, ends, work.marks, work.held, work.notes, work.tally)
    return [early, Work(second, dict(work.ends), pauses=work.pauses)]


__all__ = ["Lost", "Member"]
