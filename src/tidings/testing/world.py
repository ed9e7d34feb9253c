"""A whole system in a test: its real groups, partitions, commits and redeliveries, under a clock that the test steers.

Time stands still until the test moves it, so a retry, a timeout or a `Later` never comes by surprise, and what did not
come by the time that everything is at rest will not come: waiting for it fails at once, and says what is due next.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, LiteralString, TypeAlias

from typing_extensions import TypeVar

from tidings import ops
from tidings.clock import from_micro, seconds
from tidings.domain.client import Client, Receipt
from tidings.domain.columns import to_values
from tidings.domain.idle import PAGE, claim_of, what_is_open
from tidings.domain.service import Projection, Service
from tidings.domain.state import Aggregate, Row
from tidings.engine.unit import Held, Partition, Unit, Write
from tidings.errors import DefinitionError, Refused, Stale, TidingsError, did_you_mean
from tidings.event.envelope import unpack
from tidings.event.message import Event, Message
from tidings.event.outcome import key_of
from tidings.event.partition import key_text
from tidings.system import System
from tidings.testing.harness import Harness, open_harness

A = TypeVar("A", bound=Aggregate)
E = TypeVar("E", bound=Event)
T = TypeVar("T")
RowT = TypeVar("RowT", bound=Row)
CrashPoint: TypeAlias = Literal["before handler", "before commit", "after commit"]
Part: TypeAlias = Service | Projection

POINTS: Mapping[CrashPoint, str] = {
    "before handler": "member.fetched",
    "before commit": "member.decided",
    "after commit": "member.committed",
}
CALM = 0.2  # real seconds without a commit after which a read looks all the same: some handler hangs


@dataclass(frozen=True, slots=True)
class Parked:
    """An event that waits for a person. `message` None: it cannot be read. `error` "": it only queues behind one."""

    group: str
    topic: str
    key: str | None
    message: Message | None
    error: str
    attempt: int
    time: datetime


class World(Client):
    """A running system, as `run` gives it. Everything of `Client`, and what a test does to a system.

    `clock`: `await world.clock.advance(minutes(15))` moves time; nothing else does.
    """

    def __init__(self, harness: Harness) -> None:
        super().__init__(harness.runtime)
        self._harness = harness
        self.clock = harness.clock

    @property
    def now(self) -> datetime:
        """The moment that the clock shows."""
        return self.clock.time

    # ---- what happened ----

    def published(self, event: type[E], /, *, key: object = None) -> Sequence[E]:
        """Every event of this type (its subclasses too) that was committed, oldest first."""
        names = {one.name for one in self._runtime.codecs.values() if issubclass(one.cls, event)}
        found: list[E] = []
        for kept in self._harness.recorder.kept:
            for told in kept.events:
                head = unpack(told.head)
                if head.name in names:
                    found.append(self._runtime.codecs[head.name].decode(head.version, told.data))
        return found if key is None else [one for one in found if _same(key_of(one), key)]

    async def wait_for(self, event: type[E], /, *, key: object = None) -> E:
        """The first such event, as soon as it is committed. Raises Stale when everything is at rest without it."""

        async def look() -> Sequence[E]:
            return self.published(event, key=key)

        if found := await self._harness.until(look):
            return found[0]
        of = "" if key is None else f" of {key!r}"
        raise Stale(f"no {event.__name__}{of} was published; {await self._harness.standing()}", hint=await self._hint())

    async def _hint(self) -> str:
        parked = [one for one in await self.parked() if one.error]
        return f"{parked[0].group} parked an event: {parked[0].error}" if parked else ""

    async def settle(self) -> None:
        """Until everything is at rest at this moment: what was told was heard, nothing that is due is left."""
        await self._harness.settle()

    async def wait_idle(self, within: timedelta = seconds(30)) -> None:
        """As of a Client; time stands still, so it raises Stale at once where a retry or a saga is open."""
        await self._harness.settle()
        if open_ := await what_is_open(self._runtime):
            raise Stale(f"{'; '.join(open_)}; {await self._harness.standing()}")

    async def parked(self, part: Part | None = None, /) -> Sequence[Parked]:
        """Events that a person has to look at, with those of the same key that queue behind them, in order."""
        groups = None if part is None else self._groups(part)
        return [
            self._parked(group, held)
            for group, _, queue in await self._stuck()
            if groups is None or group in groups
            for held in queue
        ]

    # ---- reading ----

    async def get(
        self,
        row: type[RowT],
        key: object,
        /,
        *,
        after: Receipt[Any] | str | None = None,
        within: timedelta = seconds(5),
        otherwise: Literal["raise", "stale"] = "raise",
    ) -> RowT | None:
        """As of a Client, when everything is at rest. Time stands still, so `within` is over at once."""
        await self._harness.calm(CALM)
        return await super().get(row, key, after=after, within=within, otherwise=otherwise)

    async def find(self, row: type[RowT], where: LiteralString = "", /, **parameters: Any) -> Sequence[RowT]:
        """As of a Client, when everything is at rest."""
        await self._harness.calm(CALM)
        self._check_sql()
        return await super().find(row, where, **parameters)

    async def query(self, into: type[T], sql: LiteralString, /, **parameters: Any) -> Sequence[T]:
        """As of a Client, when everything is at rest."""
        await self._harness.calm(CALM)
        self._check_sql()
        return await super().query(into, sql, **parameters)

    async def load(
        self, aggregate: type[A], key: object, /, *, version: int | None = None, at: datetime | None = None
    ) -> A:
        """As of a Client, when everything is at rest."""
        await self._harness.calm(CALM)
        return await super().load(aggregate, key, version=version, at=at)

    def _check_sql(self) -> None:
        if not self._harness.engine.can.sql:
            raise Refused(
                "there is no SQL where log and store are apart in memory",
                hint="run(system) without log_apart=True, or read by `get`",
            )

    # ---- what a test does ----

    async def store(self, *rows: Row) -> None:
        """Rows that are there before the story starts."""
        tables = self._runtime.program.tables
        for row in rows:
            if type(row) not in tables:
                raise DefinitionError(
                    f"no service of {self._runtime.program.name!r} keeps {type(row).__name__}",
                    hint=did_you_mean(type(row).__name__, [one.__name__ for one in tables]),
                )
        addresses = self._runtime.addresses
        writes = [Write(addresses.of(type(row), getattr(row, row.__key__)), to_values(row)) for row in rows]
        await self._store.commit([Unit(writes=writes)])

    async def pause(self, part: Part, /, reason: str = "") -> None:
        """Its groups handle nothing until `resume`; what is told meanwhile waits."""
        await self._harness.calm(CALM)
        for group in self._groups(part):
            await ops.pause(self._harness.engine, group, reason)
        await self._noticed()

    async def resume(self, part: Part, /, *, accept_loss: bool = False) -> None:
        """They go on where they stand. Raises Refused where retention took events, unless that is accepted."""
        for group in self._groups(part):
            await ops.resume(self._harness.engine, group, accept_loss=accept_loss)
        await self._noticed()

    async def redrive(self, part: Part, /, *, key: object = None, drop: bool = False) -> int:
        """Parked events (of one key) are due now, in order, or dropped; how many there were.

        Raises Refused for a key that has none parked.
        """
        wanted = None if key is None else key_text(key)
        found: list[ops.Redriven] = []
        groups = await self.parked(part)
        for group in dict.fromkeys(one.group for one in groups if key is None or one.key == wanted):
            found += await ops.redrive(self._harness.engine, group, wanted, drop=drop)
        if key is not None and not found:
            raise Refused(
                f"{part.name!r} has nothing parked under the key {wanted!r}",
                hint=did_you_mean(str(wanted), {one.key for one in groups if one.key}),
            )
        await self._noticed()
        return sum(one.events for one in found)

    async def reset(
        self, part: Part, /, to: ops.Place = "start", *, effects: Literal["muted", "again"] | None = None
    ) -> None:
        """Its groups hear again what lies behind that place; a projection is emptied, and goes to its start alone.

        `effects`: whether what comes of it happens again, or rows alone are written. Raises Refused as
        `tidings reset` does.
        """
        await self._harness.calm(CALM)
        for group in self._groups(part):
            await ops.reset(self._runtime, group, to, effects)
        await self._noticed()

    def crash(self, part: Part, /, *, at: CrashPoint) -> None:
        """The next batch of this service dies there, with all that its member has in hand; another member takes over.

        A batch is whatever its group fetched, or is due: several events, or none that it hears (then it does not come
        as far as `before commit`). A crash that never came fails the test at its end.
        """
        self._harness.arm(frozenset(self._groups(part)), POINTS[at])

    async def restart(self, system: System | None = None, /) -> None:
        """All members die as in a killed process; new ones start on what is stored: those of this system, if one is
        given, as if it were deployed instead."""
        await self._harness.kill()
        await self._harness.start(system.program if system is not None else self._runtime.program)
        super().__init__(self._harness.runtime)
        await self._noticed()

    async def stop(self) -> Sequence[str]:
        """The workers stop in order, as on SIGTERM: names of groups that could not finish in time."""
        return await self._harness.stop()

    # ---- groups ----

    async def _noticed(self) -> None:
        """An operator's deed is seen at the next heartbeat; here, now."""
        self._harness.worker.look()
        await self._harness.calm(CALM)

    def _groups(self, part: Part) -> Sequence[str]:
        found = [g.name for g in self._runtime.program.groups if part in (g.service, g.projection)]
        if not found:
            known = [service.name for service in self._runtime.program.services]
            raise DefinitionError(f"{part!r} is no part of this system", hint=did_you_mean(part.name, known))
        return found

    async def _stuck(self) -> Sequence[tuple[str, Partition, Sequence[Held]]]:
        """For each key whose first held event is parked: its group, partition, and all its held events in order."""
        found: list[tuple[str, Partition, Sequence[Held]]] = []
        for p in await self._store.progress():
            queues: dict[object, list[Held]] = {}
            for held in await self._store.held([claim_of(p)], None, PAGE) if p.parked else ():
                queues.setdefault(held.offset if held.key is None else held.key, []).append(held)
            found += [(p.group, p.partition, queue) for queue in queues.values() if queue[0].due is None]
        return found

    def _parked(self, group: str, held: Held) -> Parked:
        key = None if held.key is None else held.key.decode(errors="replace")
        try:
            head = unpack(held.head)
            message = self._runtime.codecs[head.name].decode(head.version, held.data)
        except (TidingsError, KeyError):
            message = None
        error = held.error if held.due is None else ""
        return Parked(group, held.partition.topic, key, message, error, held.attempt, from_micro(held.time))


def _same(key: object, wanted: object) -> bool:
    return key is not None and key_text(key) == key_text(wanted)


@asynccontextmanager
async def run(
    system: System, resources: Mapping[Any, object] | None = None, *, log_apart: bool = False
) -> AsyncGenerator[World, None]:
    """The whole system, running: on SQLite in a temporary folder; `resources` instead of those that services make.

    `log_apart`: in memory, with an outbox between store and log, as on Kafka with PostgreSQL; there is no SQL there.
    At the end the workers are killed. Raises AssertionError where a handler changed a row that it did not return, or
    where a `crash` never came.
    """
    async with open_harness(system.program, resources or {}, "memory:split" if log_apart else "sqlite") as harness:
        yield World(harness)
        harness.judge()
        if harness.armed:
            groups, point = harness.armed[0]
            at = next(word for word, name in POINTS.items() if name == point)
            raise AssertionError(f"{', '.join(sorted(groups))} did not crash {at}: no batch of theirs came that far")
