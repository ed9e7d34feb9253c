"""How long does a caller wait for an answer? One `client.call` after another: a command, its handler, its outcome.

Two durable commits lie between question and answer: the command, then what its handler told, with progress and the
outcome for the caller. The floor makes both by hand, on a thread as the framework does, so that fsync never stops the
loop. The figure is the median of the calls.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw

from benchmarks import floor, ours
from benchmarks.append_batch import keep
from benchmarks.harness import Result, Size, compare
from benchmarks.load import Fill, bank, deposit


def run(size: Size) -> Iterator[Result]:
    n = size.of(1_000, 20)
    yield compare(
        "call_latency",
        n,
        size,
        ours=lambda folder: statistics.median(asyncio.run(calls(folder, n))),
        floor=lambda folder: statistics.median(asyncio.run(by_hand(folder, n))),
        unit="µs",
    )


async def calls(folder: Path, n: int) -> list[float]:
    times = []
    async with bank.running(store=ours.store(folder)) as client:
        for number in range(n):
            began = time.perf_counter()
            await client.call(Fill(account_id=f"account-{number}", first=0, count=1))
            times.append((time.perf_counter() - began) * 1e6)
    return times


async def by_hand(folder: Path, n: int) -> list[float]:
    loop, times = asyncio.get_running_loop(), []
    with ThreadPoolExecutor(1) as thread:
        c: apsw.Connection = await loop.run_in_executor(thread, floor.opened, folder)
        for number in range(n):
            event = deposit(f"account-{number}", number)
            began = time.perf_counter()
            await loop.run_in_executor(thread, keep, c, [event])
            await loop.run_in_executor(thread, keep, c, [event])
            times.append((time.perf_counter() - began) * 1e6)
        await loop.run_in_executor(thread, c.close)
    return times
