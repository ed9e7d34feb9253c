"""What the files say afterwards. The story tells nothing of this: it is read from the log, the tables and the outside.

Three witnesses are heard against each other: the log (what services said), the tables (what they keep), and the outside
parties, whose memories tidings knows nothing of (what cards and mailboxes saw).
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from shop.analytics import DaySales, OrderRow, TopProduct, bestsellers
from shop.inventory import Shelf
from shop.outside.ledger import Ledger
from tidings import Client
from tidings.engine.port import Engine
from tidings.ops import Entry
from tidings.ops.entries import entry
from tidings.ops.scan import beginnings, scan

WHY = {"PaymentFailed": "card declined", "StockRejected": "out of stock", "ShippingFailed": "no carrier"}


@dataclass
class Told:
    """The log, read once from its beginning to its end."""

    orders: dict[str, Any] = field(default_factory=dict[str, Any])  # the OrderPlaced of each
    placed: dict[str, datetime] = field(default_factory=dict[str, datetime])
    ended: dict[str, datetime] = field(default_factory=dict[str, datetime])
    confirmed: set[str] = field(default_factory=set[str])
    cancelled: dict[str, str] = field(default_factory=dict[str, str])  # and why
    payments: Counter[str] = field(default_factory=Counter[str])
    refunds: Counter[str] = field(default_factory=Counter[str])
    failures: dict[str, list[str]] = field(default_factory=lambda: defaultdict[str, list[str]](list))
    topics: Counter[str] = field(default_factory=Counter[str])
    times: list[datetime] = field(default_factory=list[datetime])
    flows: dict[str, str] = field(default_factory=dict[str, str])  # of each order: its correlation id
    effects: Counter[tuple[str, str, str, str | None]] = field(
        default_factory=Counter[tuple[str, str, str, str | None]]
    )

    @classmethod
    async def read(cls, engine: Engine) -> "Told":
        told = cls()
        async for page in scan(engine, await beginnings(engine)):
            for part, record in page:
                told.hear(entry(part, record))
        return told

    def hear(self, one: Entry) -> None:
        self.topics[one.topic] += 1
        self.times.append(one.time)
        if one.causation:
            self.effects[one.source, one.causation, one.name, one.key] += 1
        if one.kind != "event" or one.key is None:
            return
        body = msgspec.json.decode(one.data)
        match one.name:
            case "OrderPlaced":
                self.orders[one.key], self.placed[one.key], self.flows[one.key] = body, one.time, one.correlation
            case "OrderConfirmed":
                self.confirmed.add(one.key)
                self.ended[one.key] = one.time
            case "OrderCancelled":
                self.cancelled[one.key] = self._why(one.key)
                self.ended[one.key] = one.time
            case "PaymentSucceeded":
                self.payments[body["payment_id"]] += 1
            case "PaymentRefunded":
                self.refunds[body["payment_id"]] += 1
            case "PaymentFailed" | "StockRejected" | "ShippingFailed":
                self.failures[one.key].append(one.name)
            case _:
                pass

    def _why(self, order_id: str) -> str:
        failed = self.failures[order_id]
        return WHY[failed[0]] if failed else "no answer in time"

    def doubled(self) -> Counter[str]:
        """By source: how often it said the same thing again for the same cause."""
        found = Counter[str]()
        for (source, _, _, _), count in self.effects.items():
            found[source.partition("/")[2]] += count - 1
        return found

    def units(self, order_ids: Sequence[str]) -> int:
        return sum(line["quantity"] for order_id in order_ids for line in self.orders[order_id]["lines"])

    def waits(self, since: datetime | None, until: datetime | None) -> list[float]:
        """Seconds from an order to its end, sorted, of the orders placed in [since, until)."""
        chosen = (
            order_id
            for order_id, at in self.placed.items()
            if (since is None or at >= since) and (until is None or at < until)
        )
        return sorted((self.ended[o] - self.placed[o]).total_seconds() for o in chosen if o in self.ended)

    def rate(self, since: datetime, until: datetime) -> float:
        """Events a second between two moments."""
        return sum(since <= at < until for at in self.times) / max((until - since).total_seconds(), 0.001)


@dataclass(frozen=True)
class Money:
    """`captured`, `refunded`: what the card provider says; `confirmed`: what the confirmed orders cost, from the log.
    `doubled`: payments that it took and the log does not tell of once; `repeated`: calls that it recognised."""

    captured: Decimal
    refunded: Decimal
    confirmed: Decimal
    payments: int
    doubled: int
    repeated: int

    @property
    def conserved(self) -> bool:
        return self.captured - self.refunded == self.confirmed and not self.doubled


def money(told: Told, outside: Path) -> Money:
    ledger = Ledger(outside / "cards.jsonl")
    lines = ledger.lines().values()
    ledger.close()
    taken = {line["payment"]: Decimal(line["amount"]) for line in lines if "payment" in line}
    back = [line["refunded"] for line in lines if "refunded" in line]
    return Money(
        captured=sum(taken.values(), Decimal(0)),
        refunded=sum((taken[payment] for payment in back), Decimal(0)),
        confirmed=sum((Decimal(told.orders[o]["total"]) for o in told.confirmed), Decimal(0)),
        payments=len(taken),
        doubled=differ(Counter(taken.keys()), told.payments) + differ(Counter(back), told.refunds),
        repeated=ledger.repeated,
    )


def differ(one: Counter[str], other: Counter[str]) -> int:
    """How many are in one and not in the other."""
    return (one - other).total() + (other - one).total()


@dataclass(frozen=True)
class Stock:
    """Sums over all shelves. `sold`: units of the confirmed orders, from the log. `crooked`: shelves that differ."""

    received: int
    on_hand: int
    reserved: int
    shipped: int
    sold: int
    crooked: Sequence[str]
    empty: Sequence[str]

    @property
    def conserved(self) -> bool:
        whole = self.received == self.on_hand + self.reserved + self.shipped
        return whole and self.shipped == self.sold and not self.reserved and not self.crooked


async def stock(told: Told, client: Client) -> Stock:
    shelves = await client.find(Shelf)
    return Stock(
        received=sum(s.received for s in shelves),
        on_hand=sum(s.on_hand for s in shelves),
        reserved=sum(s.reserved for s in shelves),
        shipped=sum(s.shipped for s in shelves),
        sold=told.units(list(told.confirmed)),
        crooked=[s.product_id for s in shelves if s.received != s.on_hand + s.reserved + s.shipped or s.on_hand < 0],
        empty=[s.product_id for s in shelves if not s.on_hand],
    )


@dataclass(frozen=True)
class Tables:
    """How far each read model is from what the log says; all 0 where every event was folded in exactly once."""

    order_overview: int
    day_sales: int
    product_sales: int
    best: Sequence[TopProduct]


async def tables(told: Told, client: Client) -> Tables:
    rows = await client.find(OrderRow)
    right = sum(
        row.status == ("confirmed" if row.order_id in told.confirmed else "cancelled") and row.order_id in told.orders
        for row in rows
    )
    ordered = Counter[str]()
    for order in told.orders.values():
        for line in order["lines"]:
            ordered[line["product_id"]] += line["quantity"]
    sold = {one.product_id: one.sold for one in await bestsellers(client, most=1000)}
    return Tables(
        order_overview=len(told.orders) - right,
        day_sales=abs(len(told.orders) - sum(day.orders for day in await client.find(DaySales))),
        product_sales=differ(ordered, Counter(sold)),
        best=await bestsellers(client, most=3),
    )


@dataclass(frozen=True)
class Mails:
    """`sent`: by the mail server; `due`: one for each order and one for its end; `repeated`: ids it recognised."""

    sent: int
    due: int
    repeated: int


def mails(told: Told, outside: Path) -> Mails:
    ledger = Ledger(outside / "mails.jsonl")
    sent = len(ledger.lines())
    ledger.close()
    return Mails(sent, len(told.orders) + len(told.ended), ledger.repeated)


@dataclass
class Deliveries:
    """The history that every worker writes: what it took in hand, and what of it was committed.

    `again`: by group, deliveries beyond the first of each event. `in_hand`: by process and group, events that it had
    taken and not committed when it ended.
    """

    again: Counter[str] = field(default_factory=Counter[str])
    total: Counter[str] = field(default_factory=Counter[str])
    in_hand: Counter[tuple[int, str]] = field(default_factory=Counter[tuple[int, str]])

    @classmethod
    def read(cls, folder: Path) -> "Deliveries":
        found, seen = cls(), Counter[tuple[str, str, int, int]]()
        for line in _lines(folder):
            group, pid, events = line["group"], line["pid"], line["events"]
            if line["what"] == "invoke":
                found.total[group] += len(events)
                seen.update((group, topic, number, offset) for topic, number, offset in events if offset >= 0)
                found.in_hand[pid, group] = len(events)
            else:
                found.in_hand[pid, group] = 0
        for (group, _, _, _), count in seen.items():
            found.again[group] += count - 1
        return found


def _lines(folder: Path) -> Iterator[Mapping[str, Any]]:
    for path in sorted(folder.glob("*.jsonl")):
        for text in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(text)
