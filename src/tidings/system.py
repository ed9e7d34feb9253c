"""A system: services put together, checked as a whole, and run.

`System` is a description and holds nothing that runs. `connect()` gives a client alone, `running()` a client with
workers in this process; `tidings run` starts workers as processes of their own.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

from tidings import settings as settings_module
from tidings.clock import Clock
from tidings.delivery import history
from tidings.delivery.worker import Worker
from tidings.domain.client import Client
from tidings.domain.graph import Graph
from tidings.domain.group import subscriptions
from tidings.domain.program import Program
from tidings.domain.resource import Resource
from tidings.domain.runtime import Runtime
from tidings.domain.service import Service
from tidings.engine import open_engine
from tidings.errors import DefinitionError, did_you_mean
from tidings.settings import Settings

log = logging.getLogger("tidings.system")


class System:
    """Raises DefinitionError where the services do not fit together."""

    def __init__(self, name: str, services: Sequence[Service]) -> None:
        self.program = Program(name, services)

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def services(self) -> Sequence[Service]:
        return self.program.services

    def __repr__(self) -> str:
        return f"System({self.name!r})"

    def graph(self) -> Graph:
        """Who tells whom what, read from the signatures alone."""
        return self.program.graph()

    @asynccontextmanager
    async def connect(self, **settings: Any) -> AsyncGenerator[Client, None]:
        """A client alone: publish, call, read. Workers run elsewhere (`tidings run`).

        Settings are keyword arguments: `store="sqlite:///shop.db"`, ... Raises SettingsError, Unavailable, Refused.
        """
        async with open_runtime(self.program, settings_module.load(settings)) as runtime:
            yield Client(runtime)

    @asynccontextmanager
    async def running(
        self,
        *,
        only: Sequence[Service] | None = None,
        resources: Mapping[Any, object] | None = None,
        **settings: Any,
    ) -> AsyncGenerator[Client, None]:
        """A client and the workers, here; drained on the way out. `only`: these services; `resources`: instead of made
        ones."""
        merged = settings_module.load(settings)
        names = None if only is None else [s.name for s in self._mine(only)]
        async with open_runtime(self.program, merged) as runtime, work(runtime, merged, names, resources or {}):
            yield Client(runtime)

    def _mine(self, only: Sequence[Service]) -> Sequence[Service]:
        for service in only:
            if service not in self.services:
                name = getattr(service, "name", service)
                known = [s.name for s in self.services]
                hint = "only=[billing]: the service itself" if name in known else did_you_mean(str(name), known)
                raise DefinitionError(f"{name!r} is no service of {self.name!r}", hint=hint)
        return only


@asynccontextmanager
async def open_runtime(
    program: Program, settings: Settings, clock: Clock | None = None
) -> AsyncGenerator[Runtime, None]:
    """The program on its engine, declared; both closed at the end."""
    url = settings.url(program.name)
    durable = {"synchronous": settings.synchronous, "lease": settings.lease, "beat": settings.beat}
    engine = await open_engine(url, clock=clock, **({} if url.startswith("memory:") else durable))
    try:
        runtime = Runtime(program, engine, engine.clock, settings.threads)
        await runtime.prepare()
        try:
            yield runtime
        finally:
            runtime.close()
    finally:
        await engine.close(settings.drain)


@asynccontextmanager
async def work(
    runtime: Runtime,
    settings: Settings,
    services: Sequence[str] | None,
    given: Mapping[Any, object],
    probe: Any = None,
) -> AsyncGenerator[Worker, None]:
    """Workers for these services (None: all), with their resources open; drained at the end."""
    async with AsyncExitStack() as stack:
        resources = await open_resources(stack, runtime.program, services, given)
        mine = subscriptions(runtime, resources, services)
        worker = Worker(
            runtime.engine,
            mine,
            worker_name(),
            clock=runtime.clock,
            limits=settings.limits(),
            history=history.from_environment(),
            probe=probe,
        )
        runtime.running |= {s.group for s in mine}
        runtime.busy = lambda: not worker.idle
        worker.start()
        try:
            yield worker
        finally:
            cut = await worker.stop(settings.drain)
            if cut:
                log.warning("not finished in %g s, done again by the next owner: %s", settings.drain, ", ".join(cut))
            runtime.running.clear()
            runtime.busy = lambda: False


async def open_resources(
    stack: AsyncExitStack, program: Program, services: Sequence[str] | None, given: Mapping[Any, object]
) -> dict[Any, object]:
    """Everything that the handlers of these services ask for by type, opened once."""
    opened: dict[Any, object] = dict(given)
    for service, handler in program.handlers():
        if services is not None and service.name not in services:
            continue
        for wanted in handler.resources:
            made = program.resource(service, wanted)
            if wanted not in opened and made is not None:
                opened[wanted] = await _open(stack, made)
    return opened


async def _open(stack: AsyncExitStack, resource: Resource) -> object:
    match resource.way:
        case "value":
            return resource.function()
        case "awaited":
            return await resource.function()
        case "iterator":
            return stack.enter_context(contextmanager(resource.function)())
        case "async iterator":
            return await stack.enter_async_context(asynccontextmanager(resource.function)())


def worker_name() -> str:
    """Unique among all members that ever were: host, process, and a little chance."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
