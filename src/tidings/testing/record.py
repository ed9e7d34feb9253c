"""An engine that remembers what was committed: everything else goes straight through to the real one.

A kept unit is what truly happened; what a handler returned and a conflict threw away is not in it. Events that a
transactional handler told inside the commit are added to it. Waiting for an outcome ends when nothing moves any more:
on a clock that stands still, nobody would ever be told that it did not come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar, cast

from msgspec import Struct, structs

from tidings.clock import Clock
from tidings.engine.port import Capabilities, Engine, Log, Outbox, Store
from tidings.engine.unit import Answer, Committed, Event, Inner, Inside, Memo, Transaction, Unit

T = TypeVar("T")


class Kept(Struct, frozen=True):
    """A unit that was committed at `time` (microseconds), with every event that it told."""

    unit: Unit
    events: Sequence[Event]
    time: int


class Until(Protocol):
    async def __call__(self, look: Callable[[], Awaitable[T]], /) -> T:
        """What the look finds as soon as that is something; what it finds when nothing moves any more."""
        ...


class RecordingStore:
    """`kept`: every committed unit, oldest first. `in_flight`: commits that were not answered yet."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._tasks: set[asyncio.Task[Sequence[Answer]]] = set()
        self.kept: list[Kept] = []
        self.until: Until | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @property
    def in_flight(self) -> int:
        return len(self._tasks)

    async def answered(self) -> None:
        """Until nothing is in flight."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def commit(self, units: Sequence[Unit]) -> Sequence[Answer]:
        """In a task of its own: whoever waits for it may be killed, the engine goes on all the same."""
        task = asyncio.ensure_future(self._commit(units))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def _commit(self, units: Sequence[Unit]) -> Sequence[Answer]:
        told: list[list[Inner]] = [[] for _ in units]
        pairs = zip(units, told, strict=True)
        heard = [
            structs.replace(unit, inside=_heard(unit.inside, inner)) if unit.inside else unit for unit, inner in pairs
        ]
        answers = await self._store.commit(heard)
        for unit, inner, answer in zip(units, told, answers, strict=True):
            if isinstance(answer, Committed) and not answer.again:
                last = inner[len(inner) - len(unit.inside) :] if unit.inside else ()
                events = [*unit.events, *(event for each in last for event in each.events)]
                self.kept.append(Kept(unit, events, self._clock.now()))
        return answers

    async def memo(self, scope: str, id: bytes, within: float = 0.0) -> Memo | None:
        if within <= 0 or self.until is None:
            return await self._store.memo(scope, id, within)
        found = await self.until(lambda: self._store.memo(scope, id, 0.0))
        await self.answered()  # it can be read a moment before its commit is answered, and then recorded
        return found

    async def reached(self, group: str, receipt: str, within: float) -> bool:
        if within <= 0 or self.until is None:
            return await self._store.reached(group, receipt, within)
        found = await self.until(lambda: self._store.reached(group, receipt, 0.0))
        await self.answered()
        return found


def _heard(inside: Sequence[Inside], told: list[Inner]) -> list[Inside]:
    """Each handler runs as it would; a commit that is tried again runs all of them again, so the last runs count."""

    def hearing(run: Callable[[Transaction], Inner]) -> Callable[[Transaction], Inner]:
        def heard(tx: Transaction) -> Inner:
            inner = run(tx)
            told.append(inner)
            return inner

        return heard

    return [structs.replace(one, run=hearing(one.run)) for one in inside]


class RecordingEngine:
    """The engine as a runtime gets it; `store` records."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self.recorder = RecordingStore(engine.store, clock)
        self.log: Log = engine.log
        self.store = cast("Store", self.recorder)
        self.outbox: Outbox | None = engine.outbox
        self.can: Capabilities = engine.can
        self.clock: Clock = engine.clock

    async def facts(self, *, thorough: bool = False) -> Any:
        return await self._engine.facts(thorough=thorough)

    async def close(self, within: float = 10.0) -> None:
        await self.recorder.answered()
        await self._engine.close(within)
