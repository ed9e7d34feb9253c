"""How fast are single events kept when many wait at once? 100 tasks, each awaiting one `client.publish` after another.

Every call is durable when it returns; those that wait together share a transaction. The floor is a group commit by
hand: a queue, a thread, one call back to the loop for each transaction. The peer saves single events from 8 threads.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from benchmarks import floor, ours
from benchmarks.append_batch import told
from benchmarks.harness import Aim, Peer, Result, Size, compare
from benchmarks.load import KEYS, Deposited, bank, deposit

TASKS = 100
Job: TypeAlias = "tuple[tuple[int, bytes, int, bytes, bytes], asyncio.Future[None]]"


def run(size: Size) -> Iterator[Result]:
    n = size.of(50_000, 1_000)
    events = [deposit(f"account-{number % KEYS:06d}", number) for number in range(n)]

    def with_tidings(folder: Path) -> float:
        return n / asyncio.run(published(folder, events))

    def by_hand(folder: Path) -> float:
        return n / asyncio.run(kept(folder, events))

    yield compare(
        "append_awaited",
        n,
        size,
        ours=with_tidings,
        floor=by_hand,
        peer=Peer("eventsourcing", "append_threads", size.of(4_000, 200)),
        aims=[Aim("ratio_floor", ">=", 0.6)],
    )


async def published(folder: Path, events: Sequence[Deposited]) -> float:
    async with bank.connect(store=ours.store(folder)) as client:

        async def one(mine: Sequence[Deposited]) -> None:
            for event in mine:
                await client.publish(event)

        began = time.perf_counter()
        await asyncio.gather(*(one(events[at::TASKS]) for at in range(TASKS)))
        return time.perf_counter() - began


async def kept(folder: Path, events: Sequence[Deposited]) -> float:
    loop = asyncio.get_running_loop()
    jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
    thread = threading.Thread(target=write, args=(folder, jobs, loop))
    thread.start()

    async def one(mine: Sequence[Deposited]) -> None:
        for event in mine:
            future = loop.create_future()
            jobs.put((told(event), future))
            await future

    began = time.perf_counter()
    await asyncio.gather(*(one(events[at::TASKS]) for at in range(TASKS)))
    seconds = time.perf_counter() - began
    jobs.put(None)
    thread.join()
    return seconds


def write(folder: Path, jobs: queue.SimpleQueue[Job | None], loop: asyncio.AbstractEventLoop) -> None:
    """Take what waits, keep it in one transaction, tell all of them at once."""
    c = floor.opened(folder)
    while (job := jobs.get()) is not None:
        found = [job]
        while not jobs.empty() and (more := jobs.get()) is not None:
            found.append(more)
        c.execute(floor.BEGIN)
        floor.append(c, [row for row, _ in found])
        c.execute(floor.COMMIT)
        loop.call_soon_threadsafe(settle, [future for _, future in found])
    c.close()


def settle(futures: Sequence[asyncio.Future[None]]) -> None:
    for future in futures:
        future.set_result(None)
