"""Does an event cost more with more partitions, or more keys? The same pipeline over 1 and 50, and over 10 and 10,000.

Events are published and handled, and a handler emits one for each. `ours` is the rate with many, `floor` the rate with
few (it too is ours), so the ratio says how flat the cost is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import ours
from benchmarks.flat_by_size import FLAT
from benchmarks.harness import Result, Size, compare
from benchmarks.load import handled
from tidings import Event, Key, Service, System, Topic


def run(size: Size) -> Iterator[Result]:
    n = size.of(50_000, 500)
    yield compare(
        "flat_by_partitions",
        n,
        size,
        ours=lambda folder: n / asyncio.run(whole(folder, n, partitions=50, keys=1000)),
        floor=lambda folder: n / asyncio.run(whole(folder, n, partitions=1, keys=1000)),
        aims=FLAT,
        note="50 partitions against 1, 1,000 keys",
    )
    yield compare(
        "flat_by_keys",
        n,
        size,
        ours=lambda folder: n / asyncio.run(whole(folder, n, partitions=8, keys=10_000)),
        floor=lambda folder: n / asyncio.run(whole(folder, n, partitions=8, keys=10)),
        aims=FLAT,
        note="10,000 keys against 10, 8 partitions",
    )


async def whole(folder: Path, n: int, partitions: int, keys: int) -> float:
    """Seconds to publish `n` events and to handle them."""
    system, make = meters(partitions)
    events = [make(f"meter-{number % keys:06d}", number) for number in range(n)]
    async with system.connect(store=ours.store(folder)) as client:
        began = time.perf_counter()
        await ours.publish(client, events)
        published = time.perf_counter() - began
    return published + await ours.handle(system, folder, n)


def meters(partitions: int) -> tuple[System, Callable[[str, int], Event]]:
    """A system over topics of so many partitions, and what makes its events."""
    readings, sums = Topic("readings", partitions=partitions), Topic("sums", partitions=partitions)

    class Read(Event, topic=readings):
        meter: Key[str]
        value: int

    class Summed(Event, topic=sums):
        meter: Key[str]
        value: int

    service = Service("sums")

    @service.on
    def add(event: Read) -> Summed:
        handled.n += 1
        return Summed(meter=event.meter, value=event.value + 1)

    return System("meters", [service]), lambda meter, value: Read(meter=meter, value=value)
