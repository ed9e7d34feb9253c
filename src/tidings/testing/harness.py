"""A program that runs under a steered clock, with everything real but time: what `Scenario` and `World` stand on.

    engine    SQLite in a temporary folder, memory, or memory with log and store apart; it records what is committed
    worker    the very worker that `tidings run` starts, its probe in our hands, its handlers watched
    rest      everybody sleeps, nothing lies before a group, nothing held or timed is due, the relay has sent all

Nothing waits for real time. While threads compute, rest is looked for every millisecond; where nothing was committed
for `GUARD` seconds and there is no rest, the test is told what is still open.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeAlias, TypeVar

from tidings.clock import from_micro
from tidings.delivery.subscription import Subscription
from tidings.delivery.worker import Killed, Worker
from tidings.domain.group import subscriptions
from tidings.domain.idle import NEVER, held_by, next_timers, progress, what_is_due
from tidings.domain.program import Program
from tidings.domain.runtime import Runtime
from tidings.engine import open_engine
from tidings.errors import DefinitionError, Refused, Stale
from tidings.event.hints import shown
from tidings.settings import Settings
from tidings.system import open_resources
from tidings.testing.clock import SteeredClock
from tidings.testing.record import RecordingEngine
from tidings.testing.watch import watched

T = TypeVar("T")
Gear: TypeAlias = Literal["sqlite", "memory", "memory:split"]
GUARD = 10.0  # real seconds without a commit and without rest
MEMBER = "member"  # a member that comes after a dead one has its name: nobody waits for the lease of the dead
SPINS = 50  # looks for rest before each costs a millisecond
SETTINGS = Settings(synchronous="off")


class Harness:
    def __init__(self, engine: RecordingEngine, clock: SteeredClock, resources: Mapping[Any, object]) -> None:
        self.engine, self.clock, self.given = engine, clock, resources
        self.recorder = engine.recorder
        self.subscriptions: list[Subscription] = []
        self.complaints: dict[str, None] = {}  # each once, in order
        self._armed: list[tuple[frozenset[str], str]] = []
        self._opened = AsyncExitStack()
        self.recorder.until = self.until
        clock.settle, clock.next_due = self.settle, self.next_due

    runtime: Runtime
    worker: Worker

    # ---- life ----

    async def start(self, program: Program) -> None:
        """The program's workers begin, on what is stored already."""
        self.runtime = Runtime(program, self.engine, self.clock, SETTINGS.threads)
        await self.runtime.prepare()
        resources = await open_resources(self._opened, program, None, self.given)
        _check_resources(program, resources)
        self.subscriptions = [watched(s, self._complain) for s in subscriptions(self.runtime, resources)]
        self.worker = Worker(
            self.engine, self.subscriptions, MEMBER, clock=self.clock, limits=SETTINGS.limits(), probe=self._probe
        )
        self.runtime.running |= {s.group for s in self.subscriptions}
        self.runtime.busy = lambda: self.moving
        self.worker.start()

    async def stop(self) -> Sequence[str]:
        """In order, as a worker that was asked to: names of the groups that could not finish."""
        return await self.worker.stop(SETTINGS.drain)

    async def kill(self) -> None:
        """As a killed process: nothing is finished, nothing given back."""
        self.worker.kill()
        await self.worker.stop(0.0)
        self.runtime.close()
        await self._opened.aclose()
        self._opened = AsyncExitStack()

    def _complain(self, sentence: str) -> None:
        self.complaints[sentence] = None

    def judge(self) -> None:
        """Raises AssertionError for a slip that a handler was seen to make; once for each."""
        if self.complaints:
            sentences, self.complaints = list(self.complaints), {}
            raise AssertionError("\n".join(sentences))

    # ---- death at a point ----

    def arm(self, groups: frozenset[str], point: str) -> None:
        self._armed.append((groups, point))

    @property
    def armed(self) -> Sequence[tuple[frozenset[str], str]]:
        """Crashes that did not happen yet."""
        return self._armed

    def _probe(self, group: str, point: str) -> None:
        for trap in self._armed:
            if group in trap[0] and point == trap[1]:
                self._armed.remove(trap)
                raise Killed(f"{group} at {point}")

    # ---- rest ----

    @property
    def moving(self) -> bool:
        """Something is in hand in this process."""
        return not self.worker.idle or self.recorder.in_flight > 0 or self.clock.waking > 0

    async def what_is_open(self) -> list[str]:
        """Sentences; none at rest."""
        return await what_is_due(self.runtime) or (["a commit is being answered"] if self.moving else [])

    async def settle(self) -> None:
        """Until rest. Raises Stale, saying what is open, where there is none."""
        wait = Wait(self)
        while open_ := await self.what_is_open():
            await wait.on(open_)
        self.judge()

    async def until(self, look: Callable[[], Awaitable[T]], /) -> T:
        """What the look finds as soon as it is something; what it finds at rest, when nobody moves the clock either."""
        wait = Wait(self)
        while not (found := await look()):
            open_ = await self.what_is_open()
            if not open_ and not self.clock.advancing:
                found = await look()
                break
            await wait.on(open_)
        self.judge()
        return found

    async def calm(self, within: float) -> None:
        """Until rest, or until nothing was committed for so many real seconds: a handler may hang on the test."""
        wait = Wait(self, within)
        while open_ := await self.what_is_open():
            try:
                await wait.on(open_)
            except Stale:
                return
        self.judge()

    async def next_due(self) -> int | None:
        """When the next timer or retry is due, in microseconds; None where nothing waits for its time."""
        now = self.clock.now()
        rows = await progress(self.runtime)
        dues = [timer.due for timer in await next_timers(self.runtime, rows)]
        for p in rows:
            if p.held > p.parked and not p.paused:
                dues += [held.due for held in await held_by(self.runtime, p, NEVER) if held.due is not None]
        return min((due for due in dues if due > now), default=None)

    async def standing(self) -> str:
        """What to say where something did not come: the time, and what would happen next."""
        due = await self.next_due()
        rest = f"everything is at rest at {self.clock.time:%Y-%m-%d %H:%M:%S}"
        if due is None:
            return f"{rest}, and nothing waits for its time"
        after = from_micro(due) - self.clock.time
        return f"{rest}; the next thing is due in {after}: `await world.clock.advance(...)` lets it come"


class Wait:
    """Waiting for others to go on: by turns of the loop, then by milliseconds, never for longer than the guard."""

    def __init__(self, harness: Harness, guard: float | None = None) -> None:
        self._harness, self._guard = harness, GUARD if guard is None else guard
        self._kept, self._since, self._turns = -1, 0.0, 0

    async def on(self, open_: Sequence[str]) -> None:
        kept = len(self._harness.recorder.kept)
        if kept != self._kept:
            self._kept, self._since, self._turns = kept, time.monotonic(), 0
        self._turns += 1
        if time.monotonic() - self._since > self._guard:
            what = "; ".join(open_) or "the clock moves"
            raise Stale(
                f"no rest: nothing was committed for {self._guard:g} s of real time, yet {what}",
                hint="does a handler wait for something that the test holds? clock.jump(...) moves time past it",
            )
        if self._turns % SPINS == 0:
            self._harness.worker.look()  # something is open and nobody gets on: what time would show, they see now
        await asyncio.sleep(0 if self._turns < SPINS else 0.001)


@asynccontextmanager
async def open_harness(
    program: Program, resources: Mapping[Any, object], gear: Gear, clock: SteeredClock | None = None
) -> AsyncGenerator[Harness, None]:
    """The program, running and at rest. Its workers are killed at the end, whatever they do."""
    clock = clock or SteeredClock()
    if gear != "sqlite" and (needs := sql_in(program)):
        raise Refused(
            f"{needs} needs SQL, which there is none of where log and store are apart in memory",
            hint="run(system) without log_apart=True: it runs on SQLite",
        )
    async with AsyncExitStack() as stack:
        if gear == "sqlite":
            folder = stack.enter_context(TemporaryDirectory(prefix="tidings-", ignore_cleanup_errors=True))
            real = await open_engine(f"sqlite:///{folder}/test.db", clock=clock, synchronous="off")
        else:
            real = await open_engine("memory:" if gear == "memory" else gear, clock=clock)
        engine = RecordingEngine(real, clock)
        stack.push_async_callback(engine.close)
        harness = Harness(engine, clock, resources)
        await harness.start(program)
        stack.push_async_callback(harness.kill)
        await harness.settle()
        yield harness


def sql_in(program: Program) -> str | None:
    """The first part of it that needs an engine with SQL."""
    for group in program.groups:
        if group.projection is not None and group.projection.ddl is not None:
            return f"projection {group.projection.name!r} has ddl, so it"
    for _, handler in program.handlers():
        if handler.transactional:
            return f"{handler.where} takes a Transaction, so it"
    return None


def _check_resources(program: Program, opened: Mapping[Any, object]) -> None:
    for service, handler in program.handlers():
        for wanted in handler.resources:
            if wanted not in opened:
                name = shown(wanted)
                raise DefinitionError(
                    f"{handler.where} needs {name}, which neither {service.name!r} makes nor the test gave",
                    hint=f"give a fake: {{{name}: ...}}",
                )
