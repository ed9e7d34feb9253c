"""Does exactly-once cost much? Events from the log through a plain handler that emits one event, on a SQLite file.

Per event: fetch, check, decode envelope and body, call the handler, encode what it returned with an envelope of its
own, and commit it with the group's progress; batches of 500, one fsync a batch. Timed from the first claim to the last
commit. The peer does far less: FastStream's in-memory test broker keeps nothing, and no crash is survived.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import apsw
import msgspec

from benchmarks import floor, ours
from benchmarks.harness import Aim, Peer, Result, Size, compare
from benchmarks.load import KEYS, PARTITIONS, OrderPlaced, order, request_payment, shop

FETCH = 500
READ = "select pos, tp, key, time, head, data, crc from log where pos >= ? and tp <= ? order by pos limit ?"
STEP = "update progress set next = ? where grp = 'payments' and tp = 1 and next = ? and epoch = 1"
decode = {"OrderPlaced": msgspec.json.Decoder(OrderPlaced).decode}


def run(size: Size) -> Iterator[Result]:
    n = size.of(100_000, 1_000)
    events = [order(number, KEYS) for number in range(n)]

    def with_tidings(folder: Path) -> float:
        asyncio.run(ours.prepare(shop, folder, events))
        return n / asyncio.run(ours.handle(shop, folder, n))

    def by_hand(folder: Path) -> float:
        c = floor.opened(folder)
        fill(c, events)
        began = time.perf_counter()
        pipeline(c, n)
        seconds = time.perf_counter() - began
        c.close()
        return n / seconds

    yield compare(
        "pipeline_exactly_once",
        n,
        size,
        ours=with_tidings,
        floor=by_hand,
        peer=Peer("faststream", "pipeline", size.of(5_000, 100)),
        aims=[Aim("ratio_floor", ">=", 0.5), Aim("ratio_peer", ">=", 10)],
    )


def fill(c: apsw.Connection, events: Sequence[OrderPlaced]) -> None:
    rows = []
    for pos, event in enumerate(events, 1):
        key, now = event.order_id.encode(), floor.micro()
        id = floor.new_id(now)
        head, data = floor.envelope("OrderPlaced", id, now, id), floor.encode(event)
        tp = floor.place(key, PARTITIONS) + 1
        rows.append((pos, tp, key, now, head, data, floor.seal(pos, tp, now, key, head, data)))
    c.execute(floor.BEGIN)
    c.executemany(floor.APPEND, rows)
    c.execute("insert into progress values ('payments', 1, 1, 1)")
    c.execute(floor.COMMIT)
    c.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)


def pipeline(c: apsw.Connection, n: int) -> None:
    at, done = 1, 0
    while done < n:
        told = []
        rows = floor.rows(c, READ, (at, PARTITIONS, FETCH))
        for pos, tp, key, time_, head, data, crc in rows:
            if floor.seal(pos, tp, time_, key, head, data) != crc:
                raise ValueError(pos)
            cause = floor.unpack(head)
            made = request_payment(decode[cause.name](data))
            now = floor.micro()
            id, to = floor.new_id(now), made.order_id.encode()
            packed = floor.envelope("PaymentRequested", id, now, cause.correlation, cause.id)
            told.append((floor.place(to, PARTITIONS) + PARTITIONS + 1, to, now, packed, floor.encode(made)))
        c.execute(floor.BEGIN)
        floor.append(c, told)
        c.execute(STEP, (rows[-1][0] + 1, at))
        c.execute(floor.COMMIT)
        at, done = rows[-1][0] + 1, done + len(rows)
