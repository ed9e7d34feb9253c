"""Choreography: shipping remembers where an order goes, and acts when its stock is reserved."""

from shop.messages import CreateShipment, OrderPlaced, StockReserved
from tidings import Key, Row, Service

shipping_reactions = Service("shipping.reactions")


class Destination(Row, table="destinations"):
    order_id: Key[str]
    ship_to: str


@shipping_reactions.on
def remember(event: OrderPlaced) -> Destination:
    return Destination(order_id=event.order_id, ship_to=event.ship_to)


@shipping_reactions.on
def ship_reserved(event: StockReserved, to: Destination) -> CreateShipment:
    return CreateShipment(order_id=event.order_id, ship_to=to.ship_to)
