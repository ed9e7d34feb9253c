"""What the shop's services say to each other. They share this module and nothing else.

An event says what happened and is named in the past; a command asks for something and names what may come of it.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from tidings import Command, Event, Key, Topic, days

order_events = Topic("order-events", partitions=50, retention=None)  # kept for ever
payment_events = Topic("payment-events", partitions=16, retention=days(400))
stock_events = Topic("stock-events", partitions=16, retention=days(30))
shipping_events = Topic("shipping-events", partitions=16, retention=days(30))


class Line(msgspec.Struct, frozen=True):
    product_id: str
    quantity: int
    price: Decimal


# ---- Ordering ------------------------------------------------------------------------------------------------------


class OrderEvent(Event, topic=order_events):
    order_id: Key[str]


def with_currency(old: dict[str, Any]) -> dict[str, Any]:
    """The first version had no currency: everything was in euros."""
    return old | {"currency": "EUR"}


class OrderPlaced(OrderEvent, version=2, upcasts={1: with_currency}):
    customer_id: str
    ship_to: str  # a country, as two letters
    lines: tuple[Line, ...]
    total: Decimal
    placed_at: datetime
    currency: str


class OrderConfirmed(OrderEvent):
    pass


class OrderCancelled(OrderEvent):
    reason: str


class PlaceOrder(Command[OrderPlaced]):
    order_id: Key[str]
    customer_id: str
    ship_to: str
    lines: tuple[Line, ...]


class ConfirmOrder(Command[OrderConfirmed]):
    order_id: Key[str]


class CancelOrder(Command[OrderCancelled]):
    order_id: Key[str]
    reason: str


# ---- Payments ------------------------------------------------------------------------------------------------------


class PaymentEvent(Event, topic=payment_events):
    order_id: Key[str]


class PaymentSucceeded(PaymentEvent):
    payment_id: str
    amount: Decimal


class PaymentFailed(PaymentEvent):
    reason: str


class PaymentRefunded(PaymentEvent):
    payment_id: str


class ChargePayment(Command[PaymentSucceeded, PaymentFailed]):
    order_id: Key[str]
    customer_id: str
    amount: Decimal


class RefundPayment(Command[PaymentRefunded]):
    order_id: Key[str]
    payment_id: str


# ---- Inventory -----------------------------------------------------------------------------------------------------


class StockEvent(Event, topic=stock_events):
    order_id: Key[str]


class StockReserved(StockEvent):
    pass


class StockRejected(StockEvent):
    reason: str


class StockReleased(StockEvent):
    pass


class StockReceived(Event, topic=stock_events):
    product_id: Key[str]
    quantity: int


class ReserveStock(Command[StockReserved, StockRejected]):
    order_id: Key[str]
    lines: tuple[Line, ...]


class ReleaseStock(Command[StockReleased]):
    order_id: Key[str]


class ReceiveStock(Command[StockReceived]):
    product_id: Key[str]
    quantity: int


# ---- Shipping ------------------------------------------------------------------------------------------------------


class ShippingEvent(Event, topic=shipping_events):
    order_id: Key[str]


class ShipmentCreated(ShippingEvent):
    shipment_id: str


class ShippingFailed(ShippingEvent):
    reason: str


class CreateShipment(Command[ShipmentCreated, ShippingFailed]):
    order_id: Key[str]
    ship_to: str
