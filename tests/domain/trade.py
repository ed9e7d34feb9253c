"""A small trade that the tests of definitions share: orders, payments, and a saga between them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Protocol

from tidings import Aggregate, Command, Event, Key, Row, Saga, Service, Topic, step

order_events = Topic("order-events")
payment_events = Topic("payment-events")
stock_events = Topic("stock-events")


class OrderEvent(Event, topic=order_events):
    order_id: Key[str]


class Placed(OrderEvent):
    customer_id: str
    placed_at: datetime


class Confirmed(OrderEvent):
    pass


class Cancelled(OrderEvent):
    reason: str


class Paid(Event, topic=payment_events):
    order_id: Key[str]
    payment_id: str


class Declined(Event, topic=payment_events):
    order_id: Key[str]
    reason: str


class Refunded(Event, topic=payment_events):
    order_id: Key[str]


class Reserved(Event, topic=stock_events):
    order_id: Key[str]


class SoldOut(Event, topic=stock_events):
    order_id: Key[str]


class Released(Event, topic=stock_events):
    order_id: Key[str]


class Note(Event):
    """Private: it has no topic."""

    order_id: Key[str]


class Place(Command[Placed]):
    order_id: Key[str]
    customer_id: str


class Confirm(Command[Confirmed]):
    order_id: Key[str]


class Cancel(Command[Cancelled]):
    order_id: Key[str]
    reason: str


class Charge(Command[Paid, Declined]):
    order_id: Key[str]


class Refund(Command[Refunded]):
    order_id: Key[str]


class Reserve(Command[Reserved, SoldOut]):
    order_id: Key[str]


class Release(Command[Released]):
    order_id: Key[str]


class Forget(Command):
    order_id: Key[str]


class Order(Aggregate):
    status: str = "new"

    def apply(self, event: Placed | Confirmed | Cancelled) -> None:
        self.status = type(event).__name__


class Overview(Row):
    order_id: Key[str]
    customer_id: str = ""
    status: str = "placed"


class DayTally(Row):
    day: Key[date]
    orders: int = 0


class Shelf(Row, table="shelves"):
    product_id: Key[str]
    on_hand: int = 0


class Gateway(Protocol):
    async def charge(self, order_id: str) -> str: ...


def day_of(event: Placed) -> date:
    return event.placed_at.date()


ordering = Service("ordering")


@ordering.command
def place(command: Place, order: Order) -> Placed:
    raise NotImplementedError


@ordering.command
def confirm(command: Confirm, order: Order) -> Confirmed:
    return Confirmed(order_id=command.order_id)


@ordering.command
def cancel(command: Cancel, order: Order) -> Cancelled:
    return Cancelled(order_id=command.order_id, reason=command.reason)


payments = Service("payments")


@payments.command
async def charge(command: Charge, gateway: Gateway) -> Paid | Declined:
    return Paid(order_id=command.order_id, payment_id=await gateway.charge(command.order_id))


@payments.command
async def refund(command: Refund, gateway: Gateway) -> Refunded:
    return Refunded(order_id=command.order_id)


class Bank:
    async def charge(self, order_id: str) -> str:
        return f"payment of {order_id}"


@payments.resource
def bank() -> Gateway:
    return Bank()


checkout = Service("checkout")


@checkout.saga
class Checkout(Saga[Placed]):
    @step
    def pay(self) -> Charge:
        return Charge(order_id=self.start.order_id)

    def completed(self) -> Confirm:
        return Confirm(order_id=self.start.order_id)

    def failed(self) -> Cancel:
        return Cancel(order_id=self.start.order_id, reason=self.reason)


analytics = Service("analytics")
overview = analytics.projection(Overview)


@overview.on
def placed(event: Placed) -> Overview:
    return Overview(order_id=event.order_id, customer_id=event.customer_id)


@overview.on
def ended(event: Confirmed | Cancelled, row: Overview) -> Overview:
    row.status = type(event).__name__
    return row


services = [ordering, payments, checkout, analytics]
