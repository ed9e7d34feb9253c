"""The shop's promises, as sentences."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from shop import choreographed, shop
from shop.analytics import DaySales, OrderRow, days_sales, orders
from shop.checkout import checkout
from shop.inventory import Reservation, Shelf, inventory
from shop.messages import (
    CancelOrder,
    ChargePayment,
    CreateShipment,
    Line,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    PaymentFailed,
    PaymentRefunded,
    PaymentSucceeded,
    PlaceOrder,
    RefundPayment,
    ReleaseStock,
    ReserveStock,
    ShippingFailed,
    StockRejected,
    StockReleased,
    StockReserved,
)
from shop.notifications import Mailer
from shop.ordering import ordering
from shop.payments import Declined, Gateway, payments
from shop.shipping import Carrier
from tidings import System, minutes
from tidings.testing import Scenario, run

noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
lines = (Line(product_id="tea", quantity=2, price=Decimal(4)),)
placed = OrderPlaced(
    order_id="o-1", customer_id="ada", ship_to="GB", lines=lines, total=Decimal(8), placed_at=noon, currency="EUR"
)
place = PlaceOrder(order_id="o-1", customer_id="ada", ship_to="GB", lines=lines)
reserved = StockReserved(order_id="o-1")
released = StockReleased(order_id="o-1")
refunded = PaymentRefunded(order_id="o-1", payment_id="p-1")
paid = PaymentSucceeded(order_id="o-1", payment_id="p-1", amount=Decimal(8))


class FakeGateway:
    def __init__(self, *, declines: bool = False) -> None:
        self.declines, self.charges = declines, dict[str, Decimal]()

    async def charge(self, customer_id: str, amount: Decimal, *, idempotency_key: str) -> str:
        if self.declines:
            raise Declined("card expired")
        self.charges.setdefault(idempotency_key, amount)
        return "p-1"

    async def refund(self, payment_id: str, *, idempotency_key: str) -> None:
        self.charges.setdefault(idempotency_key, -sum(self.charges.values(), Decimal(0)))


class FakeCarrier:
    def book(self, ship_to: str, *, reference: str) -> str | None:
        return f"s-{reference}"


class FakeMailer:
    async def send(self, customer_id: str, text: str, *, message_id: str) -> None:
        """It goes nowhere."""


def outside(gateway: FakeGateway) -> dict[type, object]:
    return {Gateway: gateway, Carrier: FakeCarrier(), Mailer: FakeMailer()}


# One service at a time.

order = Scenario(ordering)


def test_an_order_is_cancelled() -> None:
    order.given(placed).when(CancelOrder(order_id="o-1", reason="changed my mind")).then(
        OrderCancelled(order_id="o-1", reason="changed my mind")
    )


def test_a_confirmed_order_stays() -> None:
    order.given(placed, OrderConfirmed(order_id="o-1")).when(
        CancelOrder(order_id="o-1", reason="changed my mind")
    ).then_rejected("is confirmed")


def test_a_declined_card_is_an_answer_not_an_error() -> None:
    Scenario(payments, {Gateway: FakeGateway(declines=True)}).when(
        ChargePayment(order_id="o-1", customer_id="ada", amount=Decimal(8))
    ).then(PaymentFailed(order_id="o-1", reason="card expired"))


def test_the_last_two_are_reserved() -> None:
    Scenario(inventory).given(Shelf(product_id="tea", on_hand=2)).when(ReserveStock(order_id="o-1", lines=lines)).then(
        StockReserved(order_id="o-1"),
        Reservation(order_id="o-1", lines=lines),
        Shelf(product_id="tea", on_hand=0, reserved=2),
    )


def test_an_order_that_cannot_be_filled_takes_nothing() -> None:
    wanted = (*lines, Line(product_id="mug", quantity=1, price=Decimal(9)))
    Scenario(inventory).given(Shelf(product_id="tea", on_hand=2)).when(ReserveStock(order_id="o-1", lines=wanted)).then(
        StockRejected(order_id="o-1", reason="mug is out of stock")
    )


# The saga.

saga = Scenario(checkout)


def test_stock_and_card_go_side_by_side() -> None:
    saga.when(placed).then(
        ReserveStock(order_id="o-1", lines=lines),
        ChargePayment(order_id="o-1", customer_id="ada", amount=Decimal(8)),
    )


def test_shipping_waits_for_both() -> None:
    saga.given(placed, reserved).when(paid).then(CreateShipment(order_id="o-1", ship_to="GB"))


def test_a_shipping_failure_undoes_both_and_then_cancels() -> None:
    failed = saga.given(placed, reserved, paid).when(ShippingFailed(order_id="o-1", reason="no carrier"))
    failed.then(RefundPayment(order_id="o-1", payment_id="p-1"), ReleaseStock(order_id="o-1"))
    failed.when(refunded, released).then(CancelOrder(order_id="o-1", reason="no carrier"))


def test_a_payment_after_the_timeout_is_given_back() -> None:
    cancelled = saga.given(placed, reserved).when_passed(minutes(15))
    cancelled.when(paid).then(RefundPayment(order_id="o-1", payment_id="p-1"))


def test_a_refused_step_has_failed_with_that_reason() -> None:
    refused = saga.given(placed, paid).when_rejected(ReserveStock, "closed for stocktaking")
    refused.then(RefundPayment(order_id="o-1", payment_id="p-1"))
    refused.when(refunded).then(CancelOrder(order_id="o-1", reason="closed for stocktaking"))


# Read models.


def test_the_overview_follows_the_order() -> None:
    Scenario(orders).given(placed, paid).then_rows(
        OrderRow(order_id="o-1", customer_id="ada", total=Decimal(8), placed_at=noon, status="paid")
    )


def test_a_day_is_summed_up() -> None:
    Scenario(days_sales).given(placed, placed).then_rows(
        DaySales(day=date(2026, 11, 24), orders=2, revenue=Decimal(16))
    )


# The whole shop under a steered clock.


@pytest.mark.anyio
@pytest.mark.parametrize("system", [shop, choreographed], ids=["shop", "choreographed"])
async def test_a_crash_while_charging_takes_the_money_once(system: System) -> None:
    gateway = FakeGateway()
    async with run(system, outside(gateway)) as world:
        await world.store(Shelf(product_id="tea", on_hand=10))
        world.crash(payments, at="before commit")
        receipt = await world.call(place)
        assert receipt.outcome.total == Decimal(8)
        await world.wait_for(OrderConfirmed, key="o-1")
        assert list(gateway.charges.values()) == [Decimal(8)]
        row = await world.get(OrderRow, "o-1", after=receipt)
        assert row is not None
        assert row.status == "confirmed"


@pytest.mark.anyio
async def test_an_order_nobody_answers_is_cancelled_in_time() -> None:
    async with run(shop, outside(FakeGateway())) as world:
        await world.pause(inventory)
        await world.call(place)
        await world.clock.advance(minutes(15))
        assert (await world.wait_for(OrderCancelled, key="o-1")).reason == "no answer from reserve in 15 minutes"
