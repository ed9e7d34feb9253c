"""What people ask. Read models are plain tables: any question is a SELECT, and no event is read for it."""

from collections.abc import Mapping, Sequence

import msgspec

from shop.analytics.overview import OrderRow
from tidings import Client


class TopProduct(msgspec.Struct, frozen=True):
    product_id: str
    sold: int


class Outcome(msgspec.Struct, frozen=True):
    status: str
    orders: int


async def bestsellers(client: Client, most: int = 5) -> Sequence[TopProduct]:
    return await client.query(
        TopProduct, "select product_id, sold from product_sales order by sold desc, product_id limit :most", most=most
    )


async def outcomes(client: Client) -> Mapping[str, int]:
    """How many orders stand where."""
    found = await client.query(Outcome, "select status, count(*) from order_overview group by status")
    return {one.status: one.orders for one in found}


async def orders_of(client: Client, customer_id: str) -> Sequence[OrderRow]:
    """A customer's orders, the newest first."""
    return await client.find(OrderRow, "where customer_id = :me order by placed_at desc limit 20", me=customer_id)
