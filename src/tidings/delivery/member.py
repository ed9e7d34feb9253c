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
from contextlib import suppress
from math import inf
from typing import TypeAlias

from tidings import signals
from tidings.clock import MICRO, Clock
from tidings.delivery.due import due_work, set_aside
from tidings.delivery.heldset import HeldSet
from tidings.delivery.history import History
from tidings.delivery.intake import Intake, Work
from tidings.delivery.limits import Limits
from tidings.delivery.lossy import handle_lossy
from tidings.delivery.ownership import NEVER, Ownership
from tidings.delivery.split import halves, second_half
from tidings.delivery.subscription import Arrival, Subscription
from tidings.delivery.turn import Late, Split, Turn
from tidings.engine.port import Change, Engine, Reader
from tidings.engine.unit import Batch, Claim, Partition, Unit
from tidings.errors import Corrupt, Truncated

log = logging.getLogger("tidings.delivery")
GLANCE = 0.02  # seconds between two looks at partitions that another member is about to give back
Probe: TypeAlias = Callable[[str, str], None]  # (group, point)


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
        self.busy = True
        self.reader: Reader | None = None  # once it has a seat
        self._late: list[Late] = []
        self._changes: list[Change] = []
        self._bell = asyncio.Event()
        self._stopping = False
        self._fetching: asyncio.Task[Sequence[Batch]] | None = None
        self._dropped = 0

    own: Ownership  # from `run` on

    @property
    def claims(self) -> Mapping[Partition, Claim]:
        return self.own.claims

    @property
    def held(self) -> Mapping[Partition, HeldSet]:
        return self.own.held

    @property
    def partitions(self) -> int:
        return len(self.own.claims) if hasattr(self, "own") else 0

    def reached(self, point: str) -> None:
        """A named point: for the harness (any group), and for a test that wants just this group to die here."""
        signals.reached(point)
        if self.probe is not None:
            self.probe(self.group, point)

    # ---- life ----

    async def run(self) -> None:
        """Until `stop`. Raises what no group can live with: the caller starts another member then."""
        reader = self.reader = await self.engine.log.join(self.group, self.subscription.topics, self.name)
        self.own = Ownership(
            self.engine,
            self.subscription,
            self.name,
            reader,
            clock=self.clock,
            limits=self.limits,
            reached=self.reached,
            finish_late=self._finish_late,
        )
        seats = asyncio.create_task(self._hear_changes(reader))
        try:
            while not self._stopping:
                if seats.done():
                    seats.result()
                await self._cycle(reader)
            await self.own.let_go(sorted(self.claims))
            await reader.leave()
        except Exception:
            with suppress(Exception):  # a failed member gives its seat up; what it failed with matters more
                await reader.leave()
            raise
        finally:
            tasks = [seats, *self.own.running.values(), *([self._fetching] if self._fetching else [])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def asleep(self) -> bool:
        """Nothing is in hand here, and nobody has rung since it went to sleep."""
        return not self.busy and not self._bell.is_set()

    def look(self) -> None:
        """Compare with the truth now, not at the next beat: an operator in this process did something."""
        if hasattr(self, "own"):
            self.own.beaten = -inf
        self._bell.set()

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
            await self.own.reseat(self._changes.pop(0))
        await self.own.claim_awaited()
        if self.own.beat_due() <= 0:
            await self.own.renew()
        worked = await self._finish_late()
        now = await self.store.now()
        worked |= await self._run_due(reader, now)
        self._check_room(reader)
        worked |= await self._run_fetched(reader)
        if not worked and not self._bell.is_set():
            await self._sleep(now)

    async def _sleep(self, now: int) -> None:
        left, due = self.own.beat_due(), self.own.next_due()
        if self.own.awaited:
            left = min(left, GLANCE)
        if due < NEVER:
            left = min(left, (due - now) / MICRO)
        self.busy = False
        await self.clock.wait(self._bell, max(left, 0.001))
        self.busy = True

    # ---- turns ----

    async def _run_fetched(self, reader: Reader) -> bool:
        if self._fetching is None:
            self._fetching = asyncio.create_task(reader.fetch(self._batch(), self.limits.fetch_bytes))
            self._fetching.add_done_callback(lambda _: self._bell.set())
            await asyncio.sleep(0)
        if not self._fetching.done():
            return False
        task, self._fetching = self._fetching, None
        try:
            batches = task.result()
        except Truncated as error:
            await self._stop_before_loss(reader, error)
            return True
        except Corrupt as error:
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
        lossy = self.subscription.guarantee == "at-most-once"  # progress goes first: no event kills there twice
        suspect = [b for b in batches if b.partition in self.own.suspects] if not lossy else []
        for batch in suspect:
            await self._turn(set_aside(self.intake.read([batch], self.claims, self.held)))
        calm = [b for b in batches if b not in suspect and b.partition in self.claims] if suspect else batches
        work = self.intake.read(calm, self.claims, self.held)
        self._tell("invoke", work)
        if self._dropped:
            work.tally["dropped"] += self._dropped
            self._dropped = 0
        if lossy:
            self._dropped += await handle_lossy(self, work)
        else:
            await self._turn(work)
        await self._after(reader, work)

    async def _run_due(self, reader: Reader, now: int) -> bool:
        work = await due_work(self.own, self.intake, now)
        if work is None:
            return False
        self.reached("member.fetched")
        self._tell("invoke", work)
        await self._turn(work)
        await self._after(reader, work)
        return True

    async def _after(self, reader: Reader, work: Work) -> None:
        self._tell("ok", work)
        await self._pause(reader, work.pauses)

    async def _turn(self, work: Work) -> None:
        try:
            await Turn(self, work).run()
        except Split:
            first, second = halves(work)
            begins = dict(first.ends)
            await self._turn(first)
            await self._turn(second_half(second, begins, self.claims, self.held))
            work.pauses = first.pauses | second.pauses

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
                await self.own.refresh([part])

    async def _stop_before_loss(self, reader: Reader, error: Truncated) -> None:
        """Where log and store are one, retention has paused the group already and said what is lost: that stays."""
        part = Partition(error.topic, error.partition)
        reader.pause([part], True)
        await self.own.refresh([part])
        if part in self.claims and not self.claims[part].paused:
            await self._pause(reader, {part: f"truncated: {error.message}"})

    def _check_room(self, reader: Reader) -> None:
        """Too many held events: the partition stops until some are done (backpressure), others flow.

        Looked at in each cycle, because they go in many ways: handled, finished late, dropped by an operator.
        """
        stopped = self.own.full
        for part, held in self.held.items():
            full = len(held) >= self.limits.held or held.size >= self.limits.held_bytes
            if full != (part in stopped) and not self.claims[part].paused:
                (stopped.add if full else stopped.discard)(part)
                reader.pause([part], full)
                verb = "stops" if full else "goes on"
                log.warning("group %s: %s/%d holds %d events and %s", self.group, *part, len(held), verb)

    # ---- what a turn asks of its host ----

    def fenced(self, partitions: Iterable[Partition]) -> None:
        self.own.fenced(partitions)

    async def refresh(self, partitions: Iterable[Partition]) -> None:
        await self.own.refresh(partitions)

    def settled(self, unit: Unit) -> None:
        self.own.settled(unit)

    def keep_running(self, arrival: Arrival, task: asyncio.Task[None]) -> None:
        self.own.running[arrival.place] = task

    def abandon(self, arrival: Arrival) -> None:
        if (task := self.own.running.pop(arrival.place, None)) is not None:
            task.cancel()

    def finished_late(self, late: Late) -> None:
        self._late.append(late)
        self._bell.set()

    async def _finish_late(self) -> bool:
        """Slow handlers that ended since the last cycle: their decisions become turns of their own.

        Not of one that nobody waits for any more, because its partition went, or its event came again, or an earlier
        event of its key was taken back and failed: then it runs again when it is its turn.
        """
        late, self._late = self._late, []
        for each in late:
            arrival = each.arrival
            if self.own.running.get(arrival.place) is each.task and self.reader is not None:
                del self.own.running[arrival.place]
                if arrival.timer is None and not self.held[arrival.partition].leads(arrival.offset):
                    continue
                arrival.held = arrival.timer is None
                work = Work(arrivals=[arrival])
                turn = Turn(self, work)
                await turn.adopt(each)
                self.reached("member.decided")
                await turn.commit()
                await self._pause(self.reader, work.pauses)
        return bool(late)
