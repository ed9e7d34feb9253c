"""What the tests of delivery tell each other: orders with a key, a ledger that counts, a mail server that remembers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from tidings import Command, Event, Key, Row, Service, System, Topic
from tidings.testing import World

orders = Topic("orders", partitions=4)
bills = Topic("bills", partitions=4)


class Ordered(Event, topic=orders):
    order: Key[str]
    number: int = 0


class Loose(Event, topic=Topic("loose", partitions=2), unordered=True):
    """Nothing orders these: they have no key."""

    number: int


class Billed(Event, topic=bills):
    order: Key[str]
    number: int = 0


class Bill(Command[Billed]):
    order: Key[str]
    number: int = 0


class Account(Row, table="accounts"):
    order: Key[str]
    total: int = 0
    seen: tuple[int, ...] = ()


class Mails:
    """A mail server outside: what was sent cannot be taken back."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, int]] = []
        self.ids: list[str] = []

    def send(self, order: str, number: int, id: str = "") -> None:
        self.sent.append((order, number))
        self.ids.append(id)

    @property
    def counts(self) -> Counter[tuple[str, int]]:
        return Counter(self.sent)


class Gate:
    """A handler stands before it until the test opens it."""

    def __init__(self) -> None:
        self.begun, self.open = asyncio.Event(), asyncio.Event()

    async def pass_through(self) -> None:
        self.begun.set()
        await self.open.wait()


def system(*services: Service) -> System:
    return System("trade", services)


async def seen(world: World, order: str) -> Sequence[int]:
    row = await world.get(Account, order)
    return () if row is None else row.seen
