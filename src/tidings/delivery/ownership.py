"""What a member owns: its seat's wish, its claims with their epochs, and its copy of what is held there.

The seat says who *should* have a partition and may be wrong; the claim says who *has* it, and its epoch is checked by
every commit. So a partition can be believed in by two members, and only one of them can finish anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from msgspec import structs

from tidings.clock import Clock
from tidings.delivery.heldset import HeldSet
from tidings.delivery.intake import NEWER
from tidings.delivery.limits import Limits
from tidings.delivery.subscription import Subscription
from tidings.engine.port import Change, Engine, Reader
from tidings.engine.unit import Claim, Held, Partition, Step, Unit

NEVER = 1 << 62
ALL = 1 << 40  # held events: what is left out would let its key pass


class Ownership:
    def __init__(
        self,
        engine: Engine,
        subscription: Subscription,
        name: str,
        reader: Reader,
        *,
        clock: Clock,
        limits: Limits,
        reached: Callable[[str], None],
        finish_late: Callable[[], Awaitable[bool]],
    ) -> None:
        self.engine, self.store, self.clock, self.limits = engine, engine.store, clock, limits
        self.subscription, self.group, self.name, self.reader = subscription, subscription.group, name, reader
        self.reached, self._finish_late = reached, finish_late
        self.claims: dict[Partition, Claim] = {}
        self.held: dict[Partition, HeldSet] = {}
        self.wish: set[Partition] = set()
        self.awaited: dict[Partition, float] = {}  # wished for and not claimed yet: until when its owner is waited for
        self.suspects: set[Partition] = set()  # a batch of theirs seems to kill its process
        self.running: dict[tuple[Partition, int | str], asyncio.Task[None]] = {}  # slow handlers, by `Arrival.place`
        self.full: set[Partition] = set()  # stopped by their own held events
        self.next_timer = NEVER
        self.beaten = clock.monotonic()

    # ---- the wish ----

    async def reseat(self, change: Change) -> None:
        self.wish = (self.wish | change.gain) - change.drain - change.lost
        gone = sorted(change.drain | change.lost)
        if gone:
            for part in gone:
                self.awaited.pop(part, None)
            await self.let_go(gone)
            self.reader.done(gone)
        self._await(change.gain)
        await self.claim_awaited()

    def _await(self, parts: Iterable[Partition]) -> None:
        until = self.clock.monotonic() + self.limits.drain
        for part in parts:
            self.awaited.setdefault(part, until)

    async def claim_awaited(self) -> None:
        """Claim what is wished for and free. What a living member still has is waited for until it has drained, so that
        a planned move repeats no work; not for ever, and it makes nothing safer: the epoch of the claim does."""
        if not self.awaited:
            return
        owners = {p.partition: p.owner for p in await self.store.progress(self.group)}
        living = {m.member for m in await self.engine.log.members(self.group) if m.alive} - {self.name}
        now = self.clock.monotonic()
        free = sorted(p for p, until in self.awaited.items() if owners.get(p, "") not in living or now >= until)
        for part in free:
            del self.awaited[part]
        await self.claim(free)

    async def claim(self, parts: Sequence[Partition]) -> None:
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
        self.next_timer = 0
        await self._plant_ticks(claims)
        self.reader.start([self.claims[c.partition] for c in claims])
        self.reader.pause([c.partition for c in claims if c.paused], True)

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
        for held in await self.store.held(claims, None, ALL):
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
        for timer in wanted:
            if timer.name not in there:
                step = self.still(timer.partition)
                unit = Unit(group=self.group, steps=[step], timers=[structs.replace(timer, due=now + timer.due)])
                await self.store.commit([unit])

    def still(self, part: Partition) -> Step:
        """A step that stays where it is: the condition alone."""
        claim = self.claims[part]
        return Step(part, claim.epoch, claim.held_gen, claim.next, claim.next)

    # ---- the end of a claim ----

    async def let_go(self, parts: Sequence[Partition]) -> None:
        """Stop working on these and give them back. What still runs gets a moment, then it is left to the next
        owner."""
        self.reader.stop(parts)
        tasks = [t for (p, _), t in self.running.items() if p in parts]
        if tasks:
            await asyncio.wait(tasks, timeout=self.limits.drain)
            await self._finish_late()
        claims = [self.claims[p] for p in parts if p in self.claims]
        self.forget(parts)
        if claims:
            await self.store.release(claims)
            self.reached("member.released")

    def fenced(self, partitions: Iterable[Partition]) -> None:
        """Somebody else went on with these. Claimed again at the next beat, if they are still wished."""
        parts = list(partitions)
        self.reader.stop(parts)
        self.forget(parts)

    def forget(self, parts: Iterable[Partition]) -> None:
        for part in parts:
            self.claims.pop(part, None)
            self.held.pop(part, None)
            self.suspects.discard(part)
            self.full.discard(part)
            for key in [k for k in self.running if k[0] == part]:
                self.running.pop(key).cancel()

    # ---- the truth ----

    def beat_due(self) -> float:
        """Seconds until the next look at the truth."""
        return self.limits.beat - (self.clock.monotonic() - self.beaten)

    async def renew(self) -> None:
        """Somebody may have claimed, paused, reset or re-driven while nothing was committed here."""
        self.beaten = self.clock.monotonic()
        old = list(self.claims.values())
        for claim, truth in zip(old, await self.store.renew(old), strict=True):
            if truth is None:
                self.fenced([claim.partition])
            elif (truth.held_gen, truth.paused) != (claim.held_gen, claim.paused):
                await self.refresh([claim.partition])
        self._await(p for p in self.wish if p not in self.claims)
        await self.claim_awaited()

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
            if bool(new.paused) != bool(old.paused):
                self.reader.start([self.claims[new.partition]])
                self.reader.pause([new.partition], bool(new.paused))
                self.full.discard(new.partition)
        self.next_timer = 0

    def settled(self, unit: Unit) -> None:
        """A unit of ours is durable: claims and held sets follow."""
        touched = {h.partition for h in unit.hold} | {p for p, _ in unit.finish}
        for part, offset in unit.finish:
            if part in self.held:
                self.held[part].drop(offset)
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
            self.next_timer = min(self.next_timer, timer.due)

    # ---- what is due ----

    def busy(self, part: Partition) -> list[int]:
        """Offsets of its held events that run right now."""
        return [at for p, at in self.running if p == part and isinstance(at, int)]

    def due_at(self, part: Partition) -> int:
        """When the soonest held event of this partition is due that does not run yet; NEVER where none is."""
        held = self.held[part]
        if not len(held) or self.claims[part].paused:
            return NEVER
        due = held.next_due(self.busy(part))
        return NEVER if due is None else due

    def next_due(self) -> int:
        return min([self.next_timer, *(self.due_at(p) for p in self.claims)])
