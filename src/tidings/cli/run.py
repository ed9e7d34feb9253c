"""`run`: workers, in this process or in several of their own.

    started -> ready (every group has its seat) -> draining (SIGTERM, SIGINT) -> stopped
                                                   a second signal cuts: the process ends at once

A drain stops intake, finishes and commits what is in hand, gives the partitions back, and closes the store. What a cut
or a kill leaves unfinished was not committed, so the next owner does it again: nothing is lost.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from tidings import ops, settings
from tidings.cli import logs
from tidings.cli.health import read_address, serving
from tidings.cli.options import run as complete
from tidings.cli.stopping import Stopping, hanging, leave
from tidings.cli.workers import Arguments, supervise
from tidings.errors import SettingsError, did_you_mean
from tidings.settings import Settings
from tidings.system import System, open_runtime, work

log = logging.getLogger("tidings.cli")
LOOK = 0.02  # seconds between two looks at whether every group has its seat
ANSWERS = 2.0  # seconds in which the store must answer


def run(
    target: str | None = None,
    /,
    *,
    only: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    workers: int = 1,
    health: str | None = None,
    store: str | None = None,
    log_level: Literal["debug", "info", "warning", "error"] | None = None,
    log_format: Literal["text", "json"] | None = None,
    supervised: Annotated[bool, Parameter(negative="", show=False)] = False,
) -> int:
    """Run a system's services. SIGTERM and Ctrl-C drain, a second one cuts.

    Parameters
    ----------
    target:
        The system, as module:attribute; else TIDINGS_TARGET, or `target` in tidings.toml.
    only:
        These services, and no others.
    workers:
        So many processes; they share the partitions, and one that dies is started again.
    health:
        Answer /livez and /readyz here: 8080 (loopback), or host:port.
    store:
        URL of the store; else TIDINGS_STORE, `store` in tidings.toml, or a file named after the system.
    log_level:
        How much is said.
    log_format:
        text, or json: one object a line.
    supervised:
        This process is one of several; it ends with its standard input.
    """
    merged = settings.load(
        {"store": store, "target": target, "health": health, "log_level": log_level, "log_format": log_format}
    )
    if merged.target is None:
        raise SettingsError("which system?", hint="tidings run shop:shop")
    if workers < 1:
        raise SettingsError(f"--workers {workers}: there must be one at least", hint="--workers 1, the default")
    if merged.health is not None:
        read_address(merged.health)
    system = ops.load(merged.target)
    names = _services(system, only)
    logs.begin(merged.log_level, merged.log_format, pid=supervised or workers > 1)
    if workers > 1:
        arguments = Arguments(merged.target, names, store, log_level, log_format)
        return complete(supervise(system, merged, workers, arguments))
    gc.set_threshold(50_000, 20, 100)
    code = complete(_work(system, merged, names, supervised=supervised))
    if hanging():
        leave(code)
    return code


def _services(system: System, only: Sequence[str] | None) -> list[str] | None:
    """Names separated by commas or spaces. Raises SettingsError for one that the system has not."""
    if not only:
        return None
    names = [name for each in only for name in each.split(",") if name]
    known = [s.name for s in system.services]
    for name in names:
        if name not in known:
            raise SettingsError(f"{name!r} is no service of {system.name!r}", hint=did_you_mean(name, known))
    return names


async def _work(system: System, merged: Settings, names: Sequence[str] | None, *, supervised: bool) -> int:
    here = Here(Stopping(leave, merged.drain))
    url, stopping = merged.shown_url(system.name), here.stopping
    async with AsyncExitStack() as stack:
        if merged.health is not None and not supervised:  # first in, last out: it answers while the rest drains
            host, port = await stack.enter_async_context(serving(merged.health, here.missing))
            log.info("health at http://%s:%d/livez and /readyz", host, port)
        here.runtime = await stack.enter_async_context(open_runtime(system.program, merged))
        here.worker = await stack.enter_async_context(work(here.runtime, merged, names, {}))
        watching = [asyncio.create_task(_announce(system, url, here.worker, stopping))]
        if supervised:
            watching.append(asyncio.create_task(_end_with_input(stopping)))
        log.info("%s: %s on %s", system.name, ", ".join(sorted(here.worker.health())) or "no group", url)
        await stopping.asked.wait()
        for task in watching:
            task.cancel()
    log.info("stopped")
    return stopping.code


@dataclass
class Here:
    """What runs in this process, as far as it has come."""

    stopping: Stopping
    runtime: ops.Runtime | None = None
    worker: Any = None

    async def missing(self) -> list[str]:
        """What keeps this process from being ready, in words."""
        if self.stopping.asked.is_set():
            return ["draining"]
        if self.runtime is None or self.worker is None:
            return ["starting"]
        async with asyncio.timeout(ANSWERS):
            await self.runtime.engine.store.progress("")
        return [
            f"group {group} has no member" + (f": {health.error}" if health.error else "")
            for group, health in self.worker.health().items()
            if not health.running
        ]


async def _announce(system: System, url: str, worker: Any, stopping: Stopping) -> None:
    """Say once that every group has its seat."""
    while not all(h.running for h in worker.health().values()):
        await worker.clock.wait(stopping.asked, LOOK)
    if not stopping.asked.is_set():
        log.info("ready: %s on %s", system.name, url)


async def _end_with_input(stopping: Stopping) -> None:
    """The process that started this one holds the other end: when it dies, so does this, in order."""
    async with _standard_input() as reader:
        while await reader.read(1024):
            pass
    log.warning("the process that started this one has ended")
    stopping.ask()


@asynccontextmanager
async def _standard_input() -> AsyncIterator[asyncio.StreamReader]:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        yield reader
    finally:
        transport.close()
