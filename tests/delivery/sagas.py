"""A journey as a saga: pay, then fly, with an undo for paying; participants that tests replace one by one."""

from __future__ import annotations

from tidings import Command, Event, Key, Row, Saga, Service, System, Topic, minutes, step

trips = Topic("trips", partitions=4)


class TripEvent(Event, topic=trips):
    trip: Key[str]


class Booked(TripEvent):
    pass


class Paid(TripEvent):
    receipt: str


class NotPaid(TripEvent):
    reason: str


class GivenBack(TripEvent):
    pass


class Flown(TripEvent):
    pass


class Grounded(TripEvent):
    reason: str


class Travelled(TripEvent):
    how: str


class Pay(Command[Paid, NotPaid]):
    trip: Key[str]


class GiveBack(Command[GivenBack]):
    trip: Key[str]
    receipt: str


class Fly(Command[Flown, Grounded]):
    trip: Key[str]


class Journey(Saga[Booked], timeout=minutes(15)):
    @step
    def pay(self) -> Pay:
        return Pay(trip=self.start.trip)

    @pay.undo
    def give_back(self) -> GiveBack:
        return GiveBack(trip=self.start.trip, receipt=self.pay.done.receipt)

    @step
    def fly(self) -> Fly:
        return Fly(trip=self.start.trip)

    def completed(self) -> Travelled:
        return Travelled(trip=self.start.trip, how="by air")

    def failed(self) -> Travelled:
        return Travelled(trip=self.start.trip, how=f"stayed at home: {self.reason}")


class Purse(Row, table="purses"):
    """What a trip has paid so far; more than one payment at a time would show."""

    trip: Key[str]
    paid: int = 0
    payments: int = 0


def travel() -> Service:
    service = Service("trips")
    service.saga(Journey)
    return service


def bank() -> Service:
    service = Service("bank")

    @service.command
    def pay(command: Pay, purse: Purse) -> tuple[Paid, Purse] | NotPaid:
        purse.paid += 1
        purse.payments += 1
        return Paid(trip=command.trip, receipt=f"r-{command.trip}"), purse

    @service.command
    def give_back(command: GiveBack, purse: Purse) -> tuple[GivenBack, Purse]:
        purse.paid -= 1
        return GivenBack(trip=command.trip), purse

    return service


def airline() -> Service:
    service = Service("airline")

    @service.command
    def fly(command: Fly) -> Flown | Grounded:
        return Flown(trip=command.trip)

    return service


def systems(*replaced: Service) -> System:
    """The three services, those of the same name replaced."""
    mine = {service.name: service for service in (travel(), bank(), airline(), *replaced)}
    return System("travel", list(mine.values()))
