"""Several worker processes under one that watches them.

The one that watches handles no event: it starts the others, starts one again that died (with a growing pause), hands on
signals, and answers for all of them. Each has the other end of a pipe as its standard input, so that none outlives it.
They are in a process group of their own: a Ctrl-C reaches only the watcher, which asks each of them once to drain.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from tidings import ops
from tidings.cli.exits import USE
from tidings.cli.health import serving
from tidings.cli.stopping import Stopping
from tidings.clock import Clock, SystemClock
from tidings.errors import SettingsError
from tidings.settings import Settings
from tidings.system import System

log = logging.getLogger("tidings.cli")
PAUSES = (0.2, 30.0)  # seconds before one that died is started again: the first, the longest
LONG = 60.0  # seconds that one must live for its pauses to begin anew
LATE = 5.0  # seconds beyond the drain, after which one that does not end is killed


@dataclass(frozen=True)
class Arguments:
    """What every worker is started with."""

    target: str
    only: Sequence[str] | None
    store: str | None
    log_level: str | None
    log_format: str | None

    def line(self) -> list[str]:
        found = [sys.executable, "-m", "tidings", "run", self.target, "--supervised"]
        for name, value in (
            ("--store", self.store),
            ("--log-level", self.log_level),
            ("--log-format", self.log_format),
        ):
            found += [name, value] if value is not None else []
        return found + (["--only", ",".join(self.only)] if self.only else [])


@dataclass
class Worker:
    number: int
    process: Process | None = None
    code: int = 0

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None and self.process.returncode is None else None


@dataclass
class Watcher:
    arguments: Arguments
    workers: list[Worker]
    clock: Clock = field(default_factory=SystemClock)
    code: int | None = None  # where it was cut

    async def keep(self, worker: Worker, stopping: Stopping) -> None:
        """Until a stop is asked for, and then until it has ended."""
        pause, longest = PAUSES
        while not stopping.asked.is_set():
            began = self.clock.monotonic()
            worker.process = await asyncio.create_subprocess_exec(
                *self.arguments.line(), stdin=PIPE, stdout=DEVNULL, stderr=None, start_new_session=True
            )
            worker.code = await worker.process.wait()
            if stopping.asked.is_set():
                return
            if worker.code == USE:
                stopping.ask(USE)
                return
            if self.clock.monotonic() - began > LONG:
                pause = PAUSES[0]
            log.error("worker %d ended (%s), started again in %.1f s", worker.number, _how(worker.code), pause)
            await self.clock.wait(stopping.asked, pause)
            pause = min(longest, pause * 2)

    def cut(self, code: int) -> None:
        self.code = code
        self.tell(signal.SIGKILL)

    def tell(self, number: signal.Signals) -> None:
        for worker in self.workers:
            if worker.pid is not None and worker.process is not None:
                worker.process.send_signal(number)


async def supervise(system: System, merged: Settings, count: int, arguments: Arguments) -> int:
    """Run so many workers until SIGTERM or SIGINT; the exit code."""
    if merged.url(system.name).startswith("memory"):
        raise SettingsError("a memory store is of one process", hint="--workers 1, or --store sqlite:///shop.db")
    watcher = Watcher(arguments, [Worker(n) for n in range(1, count + 1)])
    stopping = Stopping(watcher.cut, merged.drain)
    wanted = [g.name for g in system.program.groups if arguments.only is None or g.service.name in arguments.only]
    async with AsyncExitStack() as stack:
        if merged.health is not None:
            seen = Seen(merged, system.name, wanted, watcher, stopping)
            host, port = await stack.enter_async_context(serving(merged.health, seen.missing))
            log.info("health at http://%s:%d/livez and /readyz", host, port)
        keepers = [asyncio.create_task(watcher.keep(worker, stopping)) for worker in watcher.workers]
        await stopping.asked.wait()
        watcher.tell(signal.SIGTERM)
        _, late = await asyncio.wait(keepers, timeout=merged.drain + LATE)
        if late:
            log.error("%d workers did not end in time and are killed", len(late))
            watcher.tell(signal.SIGKILL)
        await asyncio.gather(*keepers)
    log.info("all workers have ended")
    return stopping.code if watcher.code is None else watcher.code


@dataclass
class Seen:
    """Whether all workers are ready, as the store sees it: each has a living member in every group."""

    settings: Settings
    system: str
    groups: Sequence[str]
    watcher: Watcher
    stopping: Stopping

    async def missing(self) -> list[str]:
        missing = ["draining"] if self.stopping.asked.is_set() else []
        missing += [f"worker {w.number} does not run" for w in self.watcher.workers if w.pid is None]
        async with ops.look(ops.store_of(self.settings, self.system)) as engine:
            seats = await engine.log.members()
        for worker in self.watcher.workers:
            mine = {s.group for s in seats if s.alive and f"-{worker.pid}-" in s.member}
            missing += [f"worker {worker.number} has no member in {g}" for g in self.groups if g not in mine]
        return missing


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
