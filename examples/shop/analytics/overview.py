"""One row an order, for the page that shows a customer where it is."""

from datetime import datetime
from decimal import Decimal

from shop.analytics.service import analytics
from shop.messages import OrderCancelled, OrderConfirmed, OrderPlaced, PaymentSucceeded, ShipmentCreated
from tidings import Delivery, Key, Row


class OrderRow(Row, table="order_overview"):
    order_id: Key[str]
    customer_id: str
    total: Decimal
    placed_at: datetime
    status: str = "placed"
    reason: str | None = None
    shipment_id: str | None = None
    ended_at: datetime | None = None


orders = analytics.projection(OrderRow)


@orders.on
def placed(event: OrderPlaced) -> OrderRow:
    return OrderRow(
        order_id=event.order_id, customer_id=event.customer_id, total=event.total, placed_at=event.placed_at
    )


@orders.on
def paid(event: PaymentSucceeded, row: OrderRow) -> OrderRow:
    if row.status == "placed":  # another topic: this may come after the end of the order
        row.status = "paid"
    return row


@orders.on
def shipped(event: ShipmentCreated, row: OrderRow) -> OrderRow:
    row.shipment_id = event.shipment_id
    return row


@orders.on
def closed(event: OrderConfirmed | OrderCancelled, row: OrderRow, delivery: Delivery) -> OrderRow:
    row.status = "confirmed" if isinstance(event, OrderConfirmed) else "cancelled"
    row.reason = event.reason if isinstance(event, OrderCancelled) else None
    row.ended_at = delivery.time
    return row
