"""How many three-step transactions a second? Stock, payment and shipment, conducted by a saga, on a SQLite file.

Each step is a command with an undo, done by a service of its own; state, commands, outcomes and timeout are durable at
every step. Timed from the first claim until the last saga is completed. There is no floor: nobody writes this by hand.
The peer, DBOS on SQLite, runs workflows of three steps from 8 threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

from benchmarks import ours
from benchmarks.harness import Aim, Peer, Result, Size, compare
from benchmarks.load import Tally
from tidings import Command, Event, Key, Saga, Service, System, Topic, minutes, step

sales = Topic("sales", partitions=8)


class Sale(Event, topic=sales):
    sale_id: Key[str]


class Sold(Sale):
    pass


class Reserved(Sale):
    pass


class Released(Sale):
    pass


class Charged(Sale):
    pass


class Refunded(Sale):
    pass


class Shipped(Sale):
    pass


class Closed(Sale):
    pass


class Reserve(Command[Reserved]):
    sale_id: Key[str]


class Release(Command[Released]):
    sale_id: Key[str]


class Charge(Command[Charged]):
    sale_id: Key[str]


class Refund(Command[Refunded]):
    sale_id: Key[str]


class Ship(Command[Shipped]):
    sale_id: Key[str]


stock, cards, parcels, checkout = Service("stock"), Service("cards"), Service("parcels"), Service("checkout")
ended = Tally()


@stock.command
def reserve(command: Reserve) -> Reserved:
    return Reserved(sale_id=command.sale_id)


@stock.command
def release(command: Release) -> Released:
    return Released(sale_id=command.sale_id)


@cards.command
def charge(command: Charge) -> Charged:
    return Charged(sale_id=command.sale_id)


@cards.command
def refund(command: Refund) -> Refunded:
    return Refunded(sale_id=command.sale_id)


@parcels.command
def ship(command: Ship) -> Shipped:
    return Shipped(sale_id=command.sale_id)


@checkout.saga
class Checkout(Saga[Sold], timeout=minutes(15)):
    @step
    def reserve(self) -> Reserve:
        return Reserve(sale_id=self.start.sale_id)

    @reserve.undo
    def release(self) -> Release:
        return Release(sale_id=self.start.sale_id)

    @step
    def charge(self) -> Charge:
        return Charge(sale_id=self.start.sale_id)

    @charge.undo
    def refund(self) -> Refund:
        return Refund(sale_id=self.start.sale_id)

    @step
    def ship(self) -> Ship:
        return Ship(sale_id=self.start.sale_id)

    def completed(self) -> Closed:
        ended.n += 1
        return Closed(sale_id=self.start.sale_id)


market = System("market", [stock, cards, parcels, checkout])


def run(size: Size) -> Iterator[Result]:
    n = size.of(5_000, 50)

    def with_tidings(folder: Path) -> float:
        return n / asyncio.run(conducted(folder, n))

    yield compare(
        "saga_three_steps",
        n,
        size,
        ours=with_tidings,
        peer=Peer("dbos", "saga", size.of(200, 20)),
        unit="sagas/s",
        aims=[Aim("ours", ">=", 5_000)],
    )


async def conducted(folder: Path, n: int) -> float:
    await ours.prepare(market, folder, [Sold(sale_id=f"sale-{number:06d}") for number in range(n)])
    ended.n = 0
    return await ours.until(market, folder, lambda: ended.n >= n)
