"""tidings as its users have it: a system, a client, a worker, on a SQLite file with `synchronous=full`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.load import handled
from tidings import Client, Event, System
from tidings.signals import listening

BATCH = 1000


def store(folder: Path) -> str:
    return f"sqlite:///{folder / 'ours.db'}"


async def publish(client: Client, events: Sequence[Event]) -> None:
    for first in range(0, len(events), BATCH):
        await client.publish(*events[first : first + BATCH])


async def prepare(system: System, folder: Path, events: Sequence[Event]) -> None:
    """A file with these events in it, and nobody who handled them."""
    async with system.connect(store=store(folder)) as client:
        await publish(client, events)


@asynccontextmanager
async def claimed(system: System, folder: Path) -> AsyncGenerator[Client, None]:
    """A client and a worker; goes on when the worker has claimed partitions and read nothing yet."""
    ready = asyncio.Event()
    with listening("member.claimed", ready.set):
        async with system.running(store=store(folder)) as client:
            await ready.wait()
            yield client


async def until(system: System, folder: Path, done: Callable[[], bool]) -> float:
    """Seconds from the claim to the first answered commit after which it is done."""
    over = asyncio.Event()

    def look() -> None:
        if done():
            over.set()

    with listening("member.committed", look):
        async with claimed(system, folder):
            began = time.perf_counter()
            await over.wait()
            return time.perf_counter() - began


async def handle(system: System, folder: Path, n: int) -> float:
    """Seconds from the claim to the answered commit with which `n` events in all were handled."""
    handled.n = 0
    return await until(system, folder, lambda: handled.n >= n)
