"""FastStream's in-memory test broker: publish an order, a handler hears it and publishes a payment."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from benchmarks.harness import LACKING, steady, tell

try:
    from faststream.kafka import KafkaBroker, TestKafkaBroker
    from pydantic import BaseModel
except ImportError:
    sys.exit(LACKING)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
broker = KafkaBroker(logger=None, log_level=logging.ERROR)
handled = 0


class Item(BaseModel):
    sku: str
    quantity: int
    price: Decimal


class OrderPlaced(BaseModel):
    order_id: str
    customer_id: UUID
    email: str
    items: tuple[Item, ...]
    total: Decimal
    currency: str
    placed_at: datetime
    note: str | None
    gift: bool
    attempt: int


class PaymentRequested(BaseModel):
    order_id: str
    amount: Decimal
    currency: str
    at: datetime


@broker.subscriber("order-events", group_id="payments")
@broker.publisher("payment-events")
async def request_payment(event: OrderPlaced) -> PaymentRequested:
    global handled  # noqa: PLW0603 -- the count proves that the handler ran
    handled += 1
    return PaymentRequested(order_id=event.order_id, amount=event.total, currency=event.currency, at=NOW)


def order(number: int) -> OrderPlaced:
    return OrderPlaced(
        order_id=f"order-{number % 1000:08d}",
        customer_id=UUID(int=number % 1000 << 64),
        email="someone@example.org",
        items=(
            Item(sku=f"sku-{number % 97}", quantity=2, price=Decimal("9.99")),
            Item(sku="sku-2", quantity=1, price=Decimal("120.00")),
        ),
        total=Decimal("139.98"),
        currency="EUR",
        placed_at=NOW,
        note=None,
        gift=False,
        attempt=number,
    )


async def pipeline(n: int) -> float:
    orders = [order(number) for number in range(n)]
    async with TestKafkaBroker(broker) as test:
        for each in orders[: n // 10]:
            await test.publish(each, "order-events", key=each.order_id.encode())
        gc.collect()
        before, began = handled, time.perf_counter()
        for each in orders:
            await test.publish(each, "order-events", key=each.order_id.encode())
        seconds = time.perf_counter() - began
    assert handled - before == n
    return n / seconds


if __name__ == "__main__":
    steady()
    tell("faststream", asyncio.run(pipeline(int(sys.argv[2]))))
