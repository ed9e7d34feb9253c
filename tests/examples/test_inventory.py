"""Stock is never lost and never sold twice: what was received is on hand, reserved, or shipped."""

from __future__ import annotations

from decimal import Decimal

from shop.inventory import Reservation, Shelf, inventory
from shop.messages import (
    Line,
    ReceiveStock,
    ReleaseStock,
    ReserveStock,
    ShipmentCreated,
    StockReceived,
    StockRejected,
    StockReleased,
    StockReserved,
)
from tidings import Delete
from tidings.testing import Scenario

stock = Scenario(inventory)
two = (Line(product_id="tea", quantity=2, price=Decimal(4)),)
both = (*two, Line(product_id="mug", quantity=1, price=Decimal(9)))
held = Reservation(order_id="o-1", lines=two)


def test_what_comes_in_is_on_hand() -> None:
    stock.given(Shelf(product_id="tea", received=1, on_hand=1)).when(ReceiveStock(product_id="tea", quantity=5)).then(
        StockReceived(product_id="tea", quantity=5), Shelf(product_id="tea", received=6, on_hand=6)
    )


def test_what_is_reserved_is_not_on_hand() -> None:
    stock.given(Shelf(product_id="tea", received=3, on_hand=3)).when(ReserveStock(order_id="o-1", lines=two)).then(
        StockReserved(order_id="o-1"), held, Shelf(product_id="tea", received=3, on_hand=1, reserved=2)
    )


def test_an_order_that_cannot_be_filled_whole_takes_nothing() -> None:
    stock.given(Shelf(product_id="tea", received=3, on_hand=3)).when(ReserveStock(order_id="o-1", lines=both)).then(
        StockRejected(order_id="o-1", reason="mug is out of stock")
    )


def test_what_is_released_is_on_hand_again() -> None:
    full = Shelf(product_id="tea", received=3, on_hand=1, reserved=2)
    stock.given(full, held).when(ReleaseStock(order_id="o-1")).then(
        StockReleased(order_id="o-1"), Delete(held), Shelf(product_id="tea", received=3, on_hand=3)
    )


def test_what_is_shipped_has_left_the_shelf() -> None:
    full = Shelf(product_id="tea", received=3, on_hand=1, reserved=2)
    stock.given(full, held).when(ShipmentCreated(order_id="o-1", shipment_id="s-1")).then(
        Delete(held), Shelf(product_id="tea", received=3, on_hand=1, shipped=2)
    )


def test_a_release_of_nothing_is_an_answer() -> None:
    stock.when(ReleaseStock(order_id="o-1")).then(StockReleased(order_id="o-1"), Delete(Reservation(order_id="o-1")))
