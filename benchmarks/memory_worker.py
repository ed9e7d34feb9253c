"""How much memory does a worker take? The example shop's whole worker, while the day's orders come in.

The figure is the most that its process ever had resident, in MiB.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

from benchmarks import worker
from benchmarks.harness import Aim, Result, Size, compare


def run(size: Size) -> Iterator[Result]:
    n = size.of(2_000, 20)
    yield compare(
        "memory_worker",
        n,
        size,
        ours=lambda folder: asyncio.run(peak(folder, n)),
        unit="MiB",
        aims=[Aim("ours", "<=", 120)],
        note="n is the number of orders",
    )


async def peak(folder: Path, n: int) -> float:
    with worker.running(folder) as process:
        await worker.open_shop(folder, n)
        return worker.peak_mib(process.pid)
