"""The depot, running on each engine, or open without workers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ops.depot import Receive, Received, depot
from tidings import Client, ops, settings
from tidings.delivery.worker import Worker
from tidings.system import open_runtime, work


@dataclass
class Depot:
    runtime: ops.Runtime
    client: Client
    worker: Worker | None

    @property
    def engine(self) -> ops.Engine:
        return self.runtime.engine

    async def receive(self, parcel: str, weight: int) -> str:
        """The correlation id."""
        receipt = await self.client.call(Receive(parcel=parcel, weight=weight))
        assert isinstance(receipt.outcome, Received)
        return receipt.correlation_id

    async def group(self, name: str) -> ops.GroupState:
        return (await ops.groups(self.engine, name))[0]


Opener = Callable[..., AbstractAsyncContextManager[Depot]]


@pytest.fixture(params=["memory", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory:" if request.param == "memory" else f"sqlite:///{tmp_path / 'depot.db'}"


@pytest.fixture
def opened(url: str) -> Opener:
    return opener(url)


def opener(url: str) -> Opener:
    @asynccontextmanager
    async def open_depot(*, working: bool = True) -> AsyncIterator[Depot]:
        merged = settings.load({"store": url, "beat": 0.05}, {})
        async with open_runtime(depot.program, merged) as runtime:
            if not working:
                yield Depot(runtime, Client(runtime), None)
                return
            async with work(runtime, merged, None, {}) as worker:
                yield Depot(runtime, Client(runtime), worker)

    return open_depot


async def until(look: Callable[[], Awaitable[bool]], engine: ops.Engine) -> None:
    """Look again after every commit."""
    while True:
        news = engine.store.changed(5.0)
        if await look():
            news.close()
            return
        await news
