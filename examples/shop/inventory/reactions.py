"""Choreography: inventory remembers what was ordered, and acts when it is paid."""

from shop.messages import Line, OrderPlaced, PaymentSucceeded, ReleaseStock, ReserveStock, ShippingFailed
from tidings import Key, Row, Service

inventory_reactions = Service("inventory.reactions")


class Wanted(Row, table="wanted_stock"):
    order_id: Key[str]
    lines: tuple[Line, ...]


@inventory_reactions.on
def remember(event: OrderPlaced) -> Wanted:
    return Wanted(order_id=event.order_id, lines=event.lines)


@inventory_reactions.on
def reserve_paid(event: PaymentSucceeded, wanted: Wanted) -> ReserveStock:
    return ReserveStock(order_id=event.order_id, lines=wanted.lines)


@inventory_reactions.on
def release_unshipped(event: ShippingFailed) -> ReleaseStock:
    return ReleaseStock(order_id=event.order_id)
