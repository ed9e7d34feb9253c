"""How fast is a batch kept? `client.publish` of 1,000 deposits at a time, each call durable when it returns, on SQLite.

Per event: id, envelope, body, partition by key, checksum, one row; one fsync a batch. The peer, eventsourcing, keeps
1,000 triggered events of one aggregate with one `save`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import apsw

from benchmarks import floor, ours
from benchmarks.harness import Aim, Peer, Result, Size, compare
from benchmarks.load import KEYS, PARTITIONS, Deposited, bank, deposit

BATCH = 1000


def run(size: Size) -> Iterator[Result]:
    n = size.of(100_000, 2_000)
    events = [deposit(f"account-{number % KEYS:06d}", number) for number in range(n)]

    def with_tidings(folder: Path) -> float:
        return n / asyncio.run(published(folder, events))

    def by_hand(folder: Path) -> float:
        c = floor.opened(folder)
        began = time.perf_counter()
        for first in range(0, n, BATCH):
            keep(c, events[first : first + BATCH])
        seconds = time.perf_counter() - began
        c.close()
        return n / seconds

    yield compare(
        "append_batch",
        n,
        size,
        ours=with_tidings,
        floor=by_hand,
        peer=Peer("eventsourcing", "append", size.of(20_000, 1_000)),
        aims=[Aim("ratio_floor", ">=", 0.6), Aim("ratio_peer", ">=", 4)],
    )


async def published(folder: Path, events: Sequence[Deposited]) -> float:
    async with bank.connect(store=ours.store(folder)) as client:
        began = time.perf_counter()
        await ours.publish(client, events)
        return time.perf_counter() - began


def keep(c: apsw.Connection, events: Sequence[Deposited]) -> None:
    """One transaction of these deposits."""
    rows = [told(event) for event in events]
    c.execute(floor.BEGIN)
    floor.append(c, rows)
    c.execute(floor.COMMIT)


def told(event: Deposited) -> tuple[int, bytes, int, bytes, bytes]:
    now, key = floor.micro(), event.account_id.encode()
    id = floor.new_id(now)
    head = floor.envelope("Deposited", id, now, id)
    return floor.place(key, PARTITIONS) + 1, key, now, head, floor.encode(event)
