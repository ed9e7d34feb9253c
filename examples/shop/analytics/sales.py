"""What was sold: a row a day, whose key is computed, and a table of products, filled by SQL of our own."""

from datetime import date
from decimal import Decimal
from typing import Annotated

from shop.analytics.service import analytics
from shop.messages import OrderPlaced
from tidings import By, Key, Row, Transaction


class DaySales(Row, table="day_sales"):
    day: Key[date]
    orders: int = 0
    revenue: Decimal = Decimal(0)


def day_of(event: OrderPlaced) -> date:
    return event.placed_at.date()


days_sales = analytics.projection(DaySales)


@days_sales.on
def count(event: OrderPlaced, today: Annotated[DaySales, By(day_of)]) -> DaySales:
    today.orders += 1
    today.revenue += event.total
    return today


products_sold = analytics.projection(
    ddl="create table product_sales (product_id text primary key, sold integer not null)"
)


@products_sold.on
def sold(event: OrderPlaced, tx: Transaction) -> None:
    for line in event.lines:
        tx.execute(
            """insert into product_sales values (:product, :sold)
               on conflict (product_id) do update set sold = product_sales.sold + excluded.sold""",
            {"product": line.product_id, "sold": line.quantity},
        )
