"""One engine under comparison: carries commands out, and says what came of them in words that another engine shares.

Offsets become the ids of events, versions of rows become "the answer's own" or their rank; receipts are numbered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatchmethod
from typing import Any

from msgspec import structs

from tests.property import commands as c
from tidings.clock import MICRO, seconds
from tidings.engine import unit as u
from tidings.engine.port import Engine, Table, Topic
from tidings.testing.clock import SteeredClock

DAY = 86400.0
TOPICS = [Topic("t", 2, keep=DAY), Topic("c", 1, keep=DAY, compact=True)]
TABLE = Table("shelves", [("id", "text"), ("n", "integer")])


class Side:
    def __init__(self, engine: Engine, clock: SteeredClock) -> None:
        self.engine, self.store, self.log, self.clock = engine, engine.store, engine.log, clock
        self.claims: dict[tuple[str, u.Partition], u.Claim] = {}
        self.stood: dict[u.Address, int] = {}  # a version of each state before the last one seen
        self.stands: dict[u.Address, int] = {}
        self.ids: dict[int, int] = {}  # of all records that ever were, by offset
        self.receipts: list[str] = []
        self.told = 0

    async def prepare(self) -> None:
        await self.log.declare(TOPICS)
        await self.store.tables([TABLE])

    # ---- where things are ----

    async def records(self, part: u.Partition) -> list[u.Record]:
        first = next(x.first for x in await self.log.extents([part.topic]) if x.partition == part)
        found = [r for batch in await self.log.read({part: first}, 10_000) for r in batch.records]
        self.ids |= {r.offset: number(r) for r in found}
        return found

    async def place(self, part: u.Partition, after: int, count: int) -> int:
        """Right behind so many records after this offset."""
        rest = [r.offset for r in await self.records(part) if r.offset >= after]
        return after if not rest or not count else rest[:count][-1] + 1

    def called(self, part: u.Partition, offset: int) -> object:
        """An offset in words: the last event before it."""
        before = [n for n in self.ids if n < offset]
        return self.ids[max(before)] if before else "start"

    # ---- commands ----

    @singledispatchmethod
    async def do(self, command: c.Command) -> object:
        raise TypeError(command)

    @do.register
    async def _(self, command: c.Commit) -> object:
        units = [await self.unit(spec, n) for n, spec in enumerate(command.units)]
        answers = await self.store.commit(units)
        for unit, answer in zip(units, answers, strict=True):
            if isinstance(answer, u.Committed):
                if answer.receipt:
                    self.receipts.append(answer.receipt)
                self.follow(unit)
        return [self.answer(unit, answer) for unit, answer in zip(units, answers, strict=True)]

    @do.register
    async def _(self, command: c.Claim) -> object:
        starts = {}
        for part in map(u.Partition._make, command.parts):
            starts[part] = next(x.first for x in await self.log.extents([part.topic]) if x.partition == part)
        claims = await self.store.claim(command.group, "m", starts)
        self.claims |= {(claim.group, claim.partition): claim for claim in claims}
        return [self.claim(claim) for claim in claims]

    @do.register
    async def _(self, command: c.Renew) -> object:
        mine = [claim for (group, _), claim in sorted(self.claims.items()) if group == command.group]
        now = await self.store.renew(mine)
        self.claims |= {(claim.group, claim.partition): claim for claim in now if claim is not None}
        return [claim and self.claim(claim) for claim in now]

    @do.register
    async def _(self, command: c.Release) -> object:
        await self.store.release([claim for (group, _), claim in self.claims.items() if group == command.group])
        return None

    @do.register
    async def _(self, command: c.Move) -> object:
        part = u.Partition._make(command.part)
        first = next(x.first for x in await self.log.extents([part.topic]) if x.partition == part)
        to = await self.place(part, first, command.to)
        await self.store.move(command.group, {part: to}, ["shelves"] if command.clear else [], muted=command.muted)
        return None

    @do.register
    async def _(self, command: c.Pause) -> object:
        await self.store.set_paused(command.group, [u.Partition._make(command.part)], command.reason)
        return None

    @do.register
    async def _(self, command: c.Redrive) -> object:
        return await self.store.redrive(command.group, u.Partition._make(command.part), command.key, command.drop)

    @do.register
    async def _(self, command: c.Remove) -> object:
        await self.store.remove(command.group)
        return None

    @do.register
    async def _(self, command: c.Keep) -> object:
        stream = u.Address._make(command.stream)
        version = (await self.store.load([stream]))[0].version - command.back
        if version > 0:
            await self.store.keep([u.Snapshot(stream, version, command.fingerprint, b"%d" % version)])
        return version

    @do.register
    async def _(self, command: c.Pass) -> object:
        self.clock.jump(seconds(command.seconds))
        for part in map(u.Partition._make, c.PARTS):
            await self.records(part)  # what goes is called by its name afterwards, too
        went = 0
        while command.sweep and (step := await self.log.sweep(1000)):
            went += step
        while command.purge and await self.store.purge(100):
            pass
        return went

    # ---- units ----

    async def unit(self, spec: c.Unit, place: int) -> u.Unit:
        moved = [await self.step(spec.group, m) for m in spec.moves if (spec.group, m.part) in self.claims]
        events = [await self.event(told) for told in spec.told]
        return u.Unit(
            group=spec.group,
            steps=[step for step, _, _ in moved],
            expect={u.Address._make(at): await self.version(u.Address._make(at), how) for at, how in spec.expect},
            once=[u.Once(*mark, b"%d" % place, [n for n in tells if n < len(events)]) for mark, tells in spec.once],
            fired=await self.fired(spec),
            events=events if spec.impossible != "topic" else [*events, u.Event("u", 0, None, bytes(16), b"", None)],
            writes=self.writes(spec),
            hold=[held for _, hold, _ in moved for held in hold],
            finish=[done for _, _, finish in moved for done in finish],
            timers=[u.Timer(u.Partition("t", 0), timer, due, b"k", b"h", None) for timer, due in spec.timers],
            cancel=spec.cancel,
            inside=[u.Inside(7, self.inside(spec.inside))] if spec.inside and not spec.impossible else [],
            notes=[u.Note(u.Partition("t", 0), self.told % 3, "rejected", str(self.told))] if spec.note else [],
            tally={"handled": len(moved)} if moved else {},
            receipt=bool(events),
        )

    async def step(self, group: str, m: c.Moves) -> tuple[u.Step, list[u.Held], list[tuple[u.Partition, int]]]:
        part = u.Partition._make(m.part)
        claim = self.claims[group, part]
        to = await self.place(part, claim.next, m.by)
        step = u.Step(
            part,
            claim.epoch - (m.wrong == "epoch"),
            claim.held_gen + (m.wrong == "held"),
            claim.next + (m.wrong == "place"),
            to,
            [u.Mark("relay", 1, self.told)],
        )
        records = (await self.records(part))[::-1]
        hold = [
            u.Held(part, r.offset, r.time, r.key, r.head, r.data, due and self.clock.now() + due * MICRO)
            for r, due in ((records[back], due) for back, due in m.hold if back < len(records))
        ]
        held = await self.store.held([claim], None, 99)
        return step, hold, [(part, held[n].offset) for n in m.finish if n < len(held)]

    async def event(self, told: c.Told) -> u.Event:
        self.told += 1
        stream = told.stream and u.Address._make(told.stream)
        version = 0
        if stream is not None and told.place is not None:
            version = (await self.store.load([stream]))[0].version + (1 if told.place == "next" else 3)
        topic, part = told.part or (None, 0)
        data = None if told.deletes else b"%d" % self.told
        return u.Event(topic, part, told.key, self.told.to_bytes(16, "big"), b"%d" % self.told, data, stream, version)

    async def version(self, address: u.Address, how: c.How) -> int:
        if address.space == TABLE.name:
            row = (await self.store.rows([address]))[0]
            now = row[0] if row else 0
        else:
            now = (await self.store.load([address]))[0].version
        if self.stands.get(address, 0) != now:
            self.stood[address], self.stands[address] = self.stands.get(address, 0), now
        return {"as it stands": now, "as it stood": self.stood.get(address, 0), "not there": 0}[how]

    async def fired(self, spec: c.Unit) -> list[u.Timer]:
        mine = [claim for (group, _), claim in self.claims.items() if group == spec.group]
        timers = {timer.name: timer for timer in await self.store.timers(mine, 99)}
        found = [(timers[timer], same) for timer, same in spec.fired if timer in timers]
        return [timer if same else structs.replace(timer, due=timer.due + 1) for timer, same in found]

    def writes(self, spec: c.Unit) -> list[u.Write]:
        found = [u.Write(u.Address._make(at), None if n is None else [at[1], n]) for at, n in spec.writes]
        if spec.impossible == "table":
            found.append(u.Write(u.Address("cellars", "a"), ["a"]))
        if spec.impossible == "width":
            found.append(u.Write(u.Address("shelves", "a"), ["a", 1, 2]))
        return found

    def inside(self, what: str) -> Any:
        self.told += 1
        event = u.Event("t", 1, b"k", self.told.to_bytes(16, "big"), b"%d" % self.told, b"inside")

        def run(_: u.Transaction) -> u.Inner:
            if what == "raises":
                raise ValueError(what)
            return u.Inner([event], [u.Once("inside", b"x", b"", [0])] if what == "marks" else [])

        return run

    def follow(self, unit: u.Unit) -> None:
        """The claims as they stand after a unit of one's own."""
        touched = {h.partition for h in unit.hold} | {part for part, _ in unit.finish}
        for step in unit.steps:
            claim = self.claims[unit.group, step.partition]
            moved = structs.replace(claim, next=step.to, held_gen=claim.held_gen + (step.partition in touched))
            self.claims[unit.group, step.partition] = moved

    # ---- in shared words ----

    def answer(self, unit: u.Unit, answer: u.Answer) -> object:
        match answer:
            case u.Committed():
                return "committed", answer.again, bool(answer.receipt), bool(unit.writes) <= (answer.version > 0)
            case u.Fenced():
                return "fenced", sorted(answer.partitions)
            case u.Conflict():
                seen = dict(answer.seen)
                return "conflict", sorted(answer.states), sorted(answer.held), seen, sorted(answer.gone)
            case u.Failed():
                return "failed", answer.cause
            case u.Unknown():
                return "unknown"

    def claim(self, claim: u.Claim) -> object:
        return (
            claim.partition, claim.epoch, self.called(claim.partition, claim.next), claim.held_gen, claim.tries,
            self.reason(claim.partition, claim.paused), sorted(claim.marks),
            claim.muted and self.called(claim.partition, claim.muted),
        )  # fmt: skip

    def reason(self, part: u.Partition, paused: str | None) -> object:
        if paused is None or not paused.startswith("truncated: "):
            return paused
        first, last = paused.removeprefix("truncated: ").split("..")
        return [self.ids[int(first)], self.ids[int(last)]]

    async def everything(self) -> Mapping[str, object]:
        """All that can be read, by the name of the method."""
        store, parts = self.store, [u.Partition._make(part) for part in c.PARTS]
        records = {part: await self.records(part) for part in parts}
        lag = await self.log.lag({part: found[len(found) // 2].offset for part, found in records.items() if found})
        streams = [u.Address._make(stream) for stream in c.STREAMS]
        mine = [claim for _, claim in sorted(self.claims.items())]
        soon = self.clock.now() + 10 * MICRO
        rows = await store.rows([u.Address._make(row) for row in c.ROWS])
        return {
            "read": {part: [(r.key, r.head, r.data, r.time) for r in found] for part, found in records.items()},
            "lag": lag,
            "progress": [
                (p.group, p.partition, self.called(p.partition, p.next), p.epoch, p.owner, p.held_gen, p.held, p.parked,
                 p.oldest, self.reason(p.partition, p.paused))
                for p in await store.progress()
            ],
            "renew": [claim and self.claim(claim) for claim in await store.renew(mine)],
            "held": [self.held(await store.held([claim], due, 99)) for claim in mine for due in (None, soon)],
            "timers": await store.timers(mine, 99),
            "load": [
                (h.address, h.version, h.snapshot, [(s.version, s.id, s.head, s.data, s.time) for s in h.events])
                for fingerprint, to in (("", None), ("v1", None), ("v2", 2))
                for h in await store.load(streams, fingerprint, to)
            ],
            "streams": [tuple(s) for s in await store.streams("order", "", 99)],
            "spaces": list(await store.spaces()),
            "rows": [row and list(row[1]) for row in rows],
            "page": [list(values) for _, values in await store.page("shelves", "", 99)],
            "versions": [row and row[0] > 0 for row in rows],
            "memo": [memo and (memo.memo, memo.time) for memo in [await store.memo(*mark) for mark in c.MARKS]],
            "tallies": [await store.tallies(group) for group in c.GROUPS],
            "notes": [(n.group, n.partition, n.offset, n.outcome, n.text, n.time) for n in await store.notes(None, 99)],
            "handled": {
                (part, number(r)): [(h.group, h.member, h.epoch) for h in await store.handled(part, r.offset)]
                for part, found in records.items() for r in found
            },
            "reached": [await store.reached(group, r, 0.0) for group in c.GROUPS for r in self.receipts],
            "acts": [(act.act, act.group, act.time) for act in await store.acts(99)],
        }  # fmt: skip

    def held(self, found: Sequence[u.Held]) -> list[object]:
        return [(self.ids[h.offset], h.partition, h.key, h.head, h.data, h.time, h.due) for h in found]


def number(record: u.Record) -> int:
    """Every event is told with a number, which is its id and its head."""
    return int(record.head)
