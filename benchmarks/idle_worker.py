"""What does a worker cost that has nothing to do? The example shop's whole worker, waiting for some seconds.

The figure is its processor time by the time that passed, in percent of one core.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import worker
from benchmarks.harness import Aim, Result, Size, compare

SETTLE = 2.0  # seconds


def run(size: Size) -> Iterator[Result]:
    seconds = size.of(10, 1)
    yield compare(
        "idle_worker",
        seconds,
        size,
        ours=lambda folder: asyncio.run(waiting(folder, seconds)),
        unit="% of a core",
        aims=[Aim("ours", "<=", 1.0)],
        note="n is the seconds of one measurement",
    )


async def waiting(folder: Path, seconds: int) -> float:
    with worker.running(folder) as process:
        await worker.open_shop(folder)
        await asyncio.sleep(SETTLE)
        before, began = worker.cpu_seconds(process.pid), time.monotonic()
        await asyncio.sleep(seconds)
        return 100 * (worker.cpu_seconds(process.pid) - before) / (time.monotonic() - began)
