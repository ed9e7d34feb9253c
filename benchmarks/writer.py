"""One of the processes of `fairness_of_four`: `python -m benchmarks.writer ours|floor FOLDER SECONDS BEGINNING`.

Commits one event after another for so many seconds, from a moment on (0: only makes the file), and prints its `Waits`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import apsw
import msgspec

from benchmarks import floor, ours
from benchmarks.append_batch import keep
from benchmarks.fairness_of_four import Waits
from benchmarks.harness import steady
from benchmarks.load import bank, deposit

BUSY = 30_000  # milliseconds


async def with_tidings(folder: Path, seconds: float, at: float) -> Waits:
    waits = Waits(0, 0.0)
    async with bank.connect(store=ours.store(folder)) as client:
        await asyncio.sleep(max(0.0, at - time.time()))
        end = time.monotonic() + seconds
        while at and time.monotonic() < end:
            began = time.perf_counter()
            await client.publish(deposit("account-1", waits.commits))
            seen(waits, began)
    return waits


def by_hand(folder: Path, seconds: float, at: float) -> Waits:
    waits = Waits(0, 0.0)
    if not at:
        floor.opened(folder).close()
        return waits
    c = apsw.Connection(str(folder / "floor.db"))
    c.set_busy_timeout(BUSY)
    c.execute("pragma synchronous = full")
    time.sleep(max(0.0, at - time.time()))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        keep(c, [deposit("account-1", waits.commits)])
        seen(waits, began)
    c.close()
    return waits


def seen(waits: Waits, began: float) -> None:
    waits.commits += 1
    waits.longest = max(waits.longest, (time.perf_counter() - began) * 1e3)


if __name__ == "__main__":
    steady()
    _, whose, place, duration, beginning = sys.argv
    where, seconds, at = Path(place), float(duration), float(beginning)
    told = asyncio.run(with_tidings(where, seconds, at)) if whose == "ours" else by_hand(where, seconds, at)
    sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
