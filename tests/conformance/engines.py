"""How the suite opens engines: fresh, with more handles on the same data, and with a relay where one is needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.postgres import a_schema
from tidings.delivery.relay import relay
from tidings.engine import open_engine
from tidings.engine.port import Engine, Log, Outbox
from tidings.testing.clock import SteeredClock
from tidings.testing.conformance import Opener

# What each engine declares that it lacks. Anything else that a test misses is a failure.
LACKS = {
    "memory": {"SQL", "durability", "several processes", "an outbox: log and store are one"},
    "split": {
        "SQL",
        "durability",
        "several processes",
        "one number for the records of all partitions",
        "a log that knows its groups",
        "holding for groups",
    },
    "sqlite": {"an outbox: log and store are one"},
    "postgres": {"an outbox: log and store are one"},
}


@asynccontextmanager
async def opened(name: str, folder: Path, clock: SteeredClock) -> AsyncIterator[tuple[Engine, Opener]]:
    if name == "postgres":
        async with a_schema() as url, _opened(url, clock) as found:
            yield found
        return
    urls = {"memory": "memory:", "split": "memory:split"}
    async with _opened(urls.get(name, f"sqlite:///{folder / 'conformance.db'}"), clock) as found:
        yield found


@asynccontextmanager
async def _opened(url: str, clock: SteeredClock) -> AsyncIterator[tuple[Engine, Opener]]:
    handles: list[Engine] = []

    async def opener() -> Engine:
        if handles and not handles[0].can.shared:
            return handles[0]
        handles.append(await open_engine(url, clock=clock))
        return handles[-1]

    engine = await opener()
    turning = await start_relay(engine.outbox, engine.log) if engine.outbox else None
    try:
        yield engine, opener
    finally:
        if turning is not None:
            turning.cancel()
            await asyncio.gather(turning, return_exceptions=True)
        for handle in handles:
            await handle.close()


async def start_relay(outbox: Outbox, log: Log) -> asyncio.Task[None]:
    """It ends when a test takes the lane for itself."""
    epoch = await outbox.lane(0, 1, "the suite")

    async def turn() -> None:
        while await relay(outbox, log, 0, epoch):
            pass

    return asyncio.create_task(turn())
