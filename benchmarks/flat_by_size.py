"""Does an event cost more when many are stored already? The same work in a small file and in one of two million events.

Orders are published, then handled by a group that had handled all before them. `ours` is the rate in the large file,
`floor` the rate in the small one (it too is ours), so the ratio says how flat the cost is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import ours
from benchmarks.harness import Aim, Result, Size, compare
from benchmarks.load import OrderPlaced, order, shop

FLAT = [Aim("ratio_floor", ">=", 0.7), Aim("ratio_floor", "<=", 1.3)]


def run(size: Size) -> Iterator[Result]:
    n, few, many = size.of(20_000, 500), size.of(10_000, 500), size.of(2_000_000, 2_000)
    orders = [order(number) for number in range(n)]

    def small(folder: Path) -> float:
        grow(folder, few)
        return n / asyncio.run(more(folder, orders))

    with TemporaryDirectory(prefix="tidings-bench-") as name:
        large = Path(name)
        grow(large, many)
        yield compare(
            "flat_by_size",
            n,
            size,
            ours=lambda _: n / asyncio.run(more(large, orders)),
            floor=small,
            aims=FLAT,
            note=f"published and handled beside {many:,} stored events, and beside {few:,}",
        )


def grow(folder: Path, stored: int) -> None:
    """A file of so many events: half of them orders, the other half what became of them."""
    batch = [order(number) for number in range(min(50_000, stored // 2))]
    for _ in range(stored // 2 // len(batch)):
        asyncio.run(more(folder, batch))


async def more(folder: Path, orders: list[OrderPlaced]) -> float:
    """Seconds to publish these and to handle them."""
    async with shop.connect(store=ours.store(folder)) as client:
        began = time.perf_counter()
        await ours.publish(client, orders)
        published = time.perf_counter() - began
    return published + await ours.handle(shop, folder, len(orders))
