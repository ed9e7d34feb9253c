"""A small system that has one of everything an operator may meet: `tests.ops.depot:depot`.

A parcel is received, billed and shipped by a saga. What its weight says is what happens: over 100 kg no carrier takes
it (the bill is undone), a negative weight is refused, exactly 13 kg is poison for the scale, until DEPOT_MENDED is set.
"""

from __future__ import annotations

import os
from typing import ClassVar

from tidings import (
    Aggregate,
    Command,
    Delivery,
    Event,
    Key,
    Later,
    Rejected,
    Row,
    Saga,
    Service,
    System,
    Topic,
    days,
    step,
)

parcel_events = Topic("parcel-events", partitions=4, retention=None)
money_events = Topic("money-events", partitions=4, retention=None)


class ParcelEvent(Event, topic=parcel_events):
    parcel: Key[str]


class Received(ParcelEvent):
    weight: int


class Shipped(ParcelEvent):
    pass


class NotShipped(ParcelEvent):
    reason: str


class Weighed(Event):
    """Private: it stays in its stream."""

    parcel: Key[str]
    grams: int


class Billed(Event, topic=money_events):
    parcel: Key[str]
    cents: int


class Refunded(Event, topic=money_events):
    parcel: Key[str]


class Receive(Command[Received]):
    parcel: Key[str]
    weight: int


class Bill(Command[Billed]):
    parcel: Key[str]
    cents: int


class Refund(Command[Refunded]):
    parcel: Key[str]


class Ship(Command[Shipped, NotShipped]):
    parcel: Key[str]
    weight: int


class AskBack(Command):
    parcel: Key[str]


class Parcel(Aggregate):
    weight: int = 0
    grams: int = 0

    def apply(self, event: Received | Weighed) -> None:
        match event:
            case Received(weight=weight):
                self.weight = weight
            case Weighed(grams=grams):
                self.grams = grams


counter = Service("counter")


@counter.command
def receive(command: Receive, parcel: Parcel) -> tuple[Received, Weighed]:
    if command.weight < 0:
        raise Rejected("a parcel weighs something")
    if parcel.weight:
        raise Rejected(f"parcel {command.parcel} is here already")
    return (
        Received(parcel=command.parcel, weight=command.weight),
        Weighed(parcel=command.parcel, grams=command.weight * 1000),
    )


@counter.on
def ask_back(event: Shipped) -> Later[AskBack]:
    return Later(AskBack(parcel=event.parcel), after=days(7))


@counter.command
def asked(command: AskBack) -> None:
    """Nothing comes of it."""


desk = Service("desk")


@desk.command
def bill(command: Bill) -> Billed:
    return Billed(parcel=command.parcel, cents=command.cents)


@desk.command
def refund(command: Refund) -> Refunded:
    return Refunded(parcel=command.parcel)


carrier = Service("carrier")


@carrier.command
def ship(command: Ship) -> Shipped | NotShipped:
    if command.weight > 100:
        return NotShipped(parcel=command.parcel, reason="no carrier takes it")
    return Shipped(parcel=command.parcel)


trips = Service("trips")


@trips.saga
class Trip(Saga[Received]):
    @step
    def billing(self) -> Bill:
        return Bill(parcel=self.start.parcel, cents=self.start.weight * 100)

    @billing.undo
    def unbilling(self) -> Refund:
        return Refund(parcel=self.start.parcel)

    @step
    def shipping(self) -> Ship:
        return Ship(parcel=self.start.parcel, weight=self.start.weight)


scale = Service("scale")


class Weight(Row, table="weights"):
    parcel: Key[str]
    kilos: int


@scale.on
def weigh(event: Received, delivery: Delivery) -> Weight:
    if event.weight == 13 and not os.environ.get("DEPOT_MENDED"):
        raise ValueError("the scale breaks at 13 kg")
    return Weight(parcel=event.parcel, kilos=event.weight)


board = Service("board")


class OnBoard(Row, table="board"):
    parcel: Key[str]
    status: str = "received"


lines = board.projection(OnBoard)


@lines.on
def put(event: Received | Shipped | NotShipped, row: OnBoard) -> OnBoard:
    if isinstance(event, Shipped):
        row.status = "shipped"
    elif isinstance(event, NotShipped):
        row.status = "kept"
    return row


class Depot:
    """What only tests look at."""

    groups: ClassVar[tuple[str, ...]] = ("board.board", "carrier", "counter", "desk", "scale", "trips")


depot = System("depot", [counter, desk, carrier, trips, scale, board])
