"""How fast is a long history folded? `client.load` of aggregates of 10,000 events each, without a snapshot, on SQLite.

Per event: read, check, decode envelope and body, apply. The accounts were filled through one fold and are loaded
through another, as after a change of code, so that no snapshot fits. The peer gets its aggregates from its repository.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import msgspec

from benchmarks import floor, ours
from benchmarks.harness import Aim, Peer, Result, Size, compare
from benchmarks.load import Deposited, Fill, Opening, bank, bank_anew, deposit

ACCOUNTS, BATCH = 3, 1000
READ = "select version, id, time, head, data, crc from stream_event where stream = ? order by version"
KEEP = "insert into stream_event values (?, ?, ?, ?, ?, ?, ?)"
decode = {"Deposited": msgspec.json.Decoder(Deposited).decode}


def run(size: Size) -> Iterator[Result]:
    each = size.of(10_000, 1_000)
    n = each * ACCOUNTS

    def with_tidings(folder: Path) -> float:
        asyncio.run(filled(folder, each))
        return n / asyncio.run(loaded(folder, each))

    def by_hand(folder: Path) -> float:
        c = floor.opened(folder)
        for stream in range(ACCOUNTS):
            fill(c, stream, each)
        began = time.perf_counter()
        for stream in range(ACCOUNTS):
            assert folded(c, stream).balance == each
        seconds = time.perf_counter() - began
        c.close()
        return n / seconds

    yield compare(
        "load_aggregate",
        n,
        size,
        ours=with_tidings,
        floor=by_hand,
        peer=Peer("eventsourcing", "load", each),
        aims=[Aim("ratio_floor", ">=", 0.45), Aim("ratio_peer", ">=", 10)],
    )


async def filled(folder: Path, each: int) -> None:
    async with bank.running(store=ours.store(folder)) as client:
        for account in range(ACCOUNTS):
            for first in range(0, each, BATCH):
                await client.call(Fill(account_id=f"account-{account}", first=first, count=min(BATCH, each - first)))


async def loaded(folder: Path, each: int) -> float:
    async with bank_anew.connect(store=ours.store(folder)) as client:
        began = time.perf_counter()
        for account in range(ACCOUNTS):
            state = await client.load(Opening, f"account-{account}")
            assert state.balance == each
        return time.perf_counter() - began


def fill(c: apsw.Connection, stream: int, each: int) -> None:
    rows = []
    for version in range(1, each + 1):
        now = floor.micro()
        id = floor.new_id(now)
        head, data = floor.envelope("Deposited", id, now, id), floor.encode(deposit(f"account-{stream}", version))
        rows.append((stream, version, id, now, head, data, floor.seal(stream, version, now, id, head, data)))
    c.execute(floor.BEGIN)
    c.executemany(KEEP, rows)
    c.execute(floor.COMMIT)


def folded(c: apsw.Connection, stream: int) -> Opening:
    state = Opening()
    for version, id, time_, head, data, crc in floor.rows(c, READ, (stream,)):
        if floor.seal(stream, version, time_, id, head, data) != crc:
            raise ValueError(version)
        state.apply(decode[floor.unpack(head).name](data))
    return state
