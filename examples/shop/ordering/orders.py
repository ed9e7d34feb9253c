"""The order and the three commands that change it. What a command returns is what has happened, all that is kept."""

from decimal import Decimal
from typing import Literal

from shop.messages import CancelOrder, ConfirmOrder, OrderCancelled, OrderConfirmed, OrderPlaced, PlaceOrder
from tidings import Aggregate, Delivery, Rejected, Service

ordering = Service("ordering")


class Order(Aggregate):
    status: Literal["new", "placed", "confirmed", "cancelled"] = "new"
    total: Decimal = Decimal(0)

    def apply(self, event: OrderPlaced | OrderConfirmed | OrderCancelled) -> None:
        match event:
            case OrderPlaced():
                self.status = "placed"
                self.total = event.total
            case OrderConfirmed():
                self.status = "confirmed"
            case OrderCancelled():
                self.status = "cancelled"


@ordering.command
def place(command: PlaceOrder, order: Order, delivery: Delivery) -> OrderPlaced:
    if order.status != "new":
        raise Rejected(f"order {command.order_id} is already {order.status}")
    if not command.lines:
        raise Rejected("an order needs at least one line")
    if any(line.quantity < 1 for line in command.lines):
        raise Rejected("a quantity must be at least 1")
    return OrderPlaced(
        order_id=command.order_id,
        customer_id=command.customer_id,
        ship_to=command.ship_to,
        lines=command.lines,
        total=sum((line.price * line.quantity for line in command.lines), Decimal(0)),
        placed_at=delivery.now,
        currency="EUR",
    )


@ordering.command
def confirm(command: ConfirmOrder, order: Order) -> OrderConfirmed:
    if order.status != "placed":
        raise Rejected(f"order {command.order_id} is {order.status}")
    return OrderConfirmed(order_id=command.order_id)


@ordering.command
def cancel(command: CancelOrder, order: Order) -> OrderCancelled:
    if order.status != "placed":
        raise Rejected(f"order {command.order_id} is {order.status}")
    return OrderCancelled(order_id=command.order_id, reason=command.reason)
