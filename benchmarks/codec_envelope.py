"""What do the envelope and the class of an event cost on the wire? One order of ten fields, there and back.

There: an id, the head with its cause, the key and its partition, the body. Back: the head unpacked, its codec found,
the body decoded and checked against the class. The floor is bare msgspec: one encoder, one decoder, the body alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from benchmarks import floor
from benchmarks.harness import Aim, Result, Size, compare
from benchmarks.load import KEYS, OrderPlaced, order, shop
from tidings import settings
from tidings.event.envelope import unpack
from tidings.system import open_runtime

decode = msgspec.json.Decoder(OrderPlaced).decode


def run(size: Size) -> Iterator[Result]:
    n = size.of(100_000, 1_000)
    orders = [order(number, KEYS) for number in range(n)]

    def with_tidings(_: Path) -> float:
        return asyncio.run(there_and_back(orders)) / n * 1e6

    def bare(_: Path) -> float:
        encode = floor.encode
        began = time.perf_counter()
        for each in orders:
            decode(encode(each))
        return (time.perf_counter() - began) / n * 1e6

    yield compare(
        "codec_envelope", n, size, ours=with_tidings, floor=bare, unit="µs/event", aims=[Aim("ratio_floor", "<=", 2.2)]
    )


async def there_and_back(orders: list[OrderPlaced]) -> float:
    async with open_runtime(shop.program, settings.load({"store": "memory:"})) as runtime:
        told, codecs, now = runtime.outside.event, runtime.codecs, runtime.clock.now()
        cause = unpack(told(orders[0], now).head)
        began = time.perf_counter()
        for each in orders:
            event = told(each, now, cause)
            head = unpack(event.head)
            codecs[head.name].decode(head.version, event.data)
        return time.perf_counter() - began
