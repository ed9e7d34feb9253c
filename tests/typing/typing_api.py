"""Mistakes that type checkers refuse, and types that they find. Read by mypy and pyright, never run.

Each ignore is needed: both checkers are told to complain about one that hides nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, assert_type

from tests.domain.trade import (
    Cancelled,
    Charge,
    Checkout,
    Confirm,
    Declined,
    Forget,
    Order,
    Overview,
    Paid,
    Place,
    Placed,
    Refund,
    Shelf,
)
from tidings import (
    Aggregate,
    By,
    Cancel,
    Client,
    Delete,
    Event,
    Key,
    Later,
    Receipt,
    Row,
    Rows,
    Saga,
    Service,
    Tick,
    Transaction,
    days,
    hours,
    step,
)
from tidings.domain.saga import Step

x = Service("x")


async def outcomes(client: Client) -> None:
    assert_type(await client.call(Charge(order_id="o")), Receipt[Paid | Declined])
    assert_type((await client.call(Confirm(order_id="o"))).position, str)
    assert_type((await client.call(Place(order_id="o", customer_id="c"))).outcome, Placed)
    assert_type((await client.call(Forget(order_id="o"))).outcome, None)
    assert_type(await client.get(Overview, "o"), Overview | None)
    assert_type(await client.load(Order, "o"), Order)
    await client.publish(Charge(order_id="o"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await client.send(Cancelled(order_id="o", reason="r"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await client.get(Order, "o")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
    await client.load(Overview, "o")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]


def messages() -> None:
    Placed(order_id="o", customer_id="c")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Cancelled("o", "r")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Cancelled(order_id=1, reason="r")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    told = Cancelled(order_id="o", reason="r")
    told.reason = "s"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    assert_type(told.order_id, str)
    assert_type(Later(told, after=days(1)), Later[Cancelled])
    assert_type(Cancel(Forget, key="o"), Cancel[Forget])
    Later(Overview(order_id="o"), after=days(1))  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
    Delete(told)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
    Shelf("tea")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Shelf(product_id="tea").on_hand += 1
    assert_type(days(1), timedelta)


def steps(saga: Checkout) -> None:
    assert_type(Checkout.pay, Step[Checkout, Paid])
    assert_type(saga.pay.done, Paid)
    assert_type(saga.start, Placed)
    saga.pay.done.paymentid  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]  # noqa: B018


def handlers() -> None:
    @x.on  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
    def hears_a_command(event: Charge) -> None: ...

    @x.on  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
    def emits_a_number(event: Placed) -> int:
        return 1

    @x.command  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
    def commands_an_event(command: Placed) -> None: ...

    @x.every(hours(1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    def ticks_an_event(tick: Placed) -> None: ...

    @x.saga  # pyright: ignore[reportArgumentType, reportUntypedClassDecorator]
    class NoSaga: ...  # type: ignore[type-var]

    @x.every(hours(1))
    async def counts(tick: Tick, rows: Rows[Shelf]) -> Later[Forget] | None:
        assert_type(await rows.get("tea"), Shelf | None)
        assert_type(await rows.count(), int)
        return None

    @x.on(blocking=True)
    def stays_a_function(event: Placed, row: Annotated[Overview, By("customer_id")]) -> tuple[Overview | Charge, ...]:
        return row, Charge(order_id=event.order_id)

    made = stays_a_function(Placed(order_id="o", customer_id="c", placed_at=noon()), Overview(order_id="o"))
    assert_type(made, tuple[Overview | Charge, ...])


def own_sql(tx: Transaction, table: str) -> None:
    tx.execute("delete from sales where day = :day", {"day": "2026-11-24"})
    tx.execute(f"delete from {table}")  # pyright: ignore[reportArgumentType]  # mypy takes LiteralString for str


class UndoThatMayFail(Saga[Placed]):
    @step
    def pay(self) -> Charge:
        return Charge(order_id=self.start.order_id)

    @pay.undo  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    def again(self) -> Charge:
        return Charge(order_id=self.start.order_id)


class StepOfAnEvent(Saga[Placed]):
    @step  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    def pay(self) -> Paid: ...  # type: ignore[empty-body]


class EndWithARow(Saga[Placed]):
    @step
    def refund(self) -> Refund:
        return Refund(order_id=self.start.order_id)

    def completed(self) -> Overview:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return Overview(order_id=self.start.order_id)


class ForgottenCase(Aggregate):
    status: str = "new"

    def apply(self, event: Placed | Cancelled) -> None:
        match event:  # type: ignore[exhaustive-match]  # pyright: ignore[reportMatchNotExhaustive]
            case Placed():
                self.status = "placed"


# mypy does not look at the keywords of a class with a metaclass; the class itself does, at import.


class WrongWords(Event, topic="orders"):  # pyright: ignore[reportArgumentType]
    order_id: Key[str]


class WrongTable(Row, table=3):  # pyright: ignore[reportArgumentType]
    order_id: Key[str]


def noon() -> datetime:
    return datetime(2026, 11, 24, 12, tzinfo=UTC)
