"""The shop conducted and the shop that dances end every order alike, with the same money and the same stock."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from shop import choreographed, shop
from shop.analytics import OrderRow
from shop.catalogue import Catalogue
from shop.entry import WrongLine, read_lines, read_order
from shop.inventory import Shelf
from shop.messages import OrderPlaced, PlaceOrder
from shop.notifications import Letters, Mailer
from shop.outside.cards import Cards
from shop.outside.mail import MailServer
from shop.outside.parcels import Parcels
from shop.payments import Gateway
from shop.shipping import Carrier
from tidings import Key, Row, Service, System, minutes
from tidings.testing import World, run

pytestmark = pytest.mark.anyio
SCARCE = "reading-lamp"  # nothing of it came in, so who is first does not matter


def some_orders(count: int) -> Sequence[PlaceOrder]:
    """From orders.csv, as its lines say; each once."""
    catalogue = Catalogue.read()
    found: dict[str, PlaceOrder] = {}
    for text in read_lines():
        try:
            order = read_order(text, catalogue)
        except WrongLine:
            continue
        if all(line.quantity > 0 for line in order.lines):
            found.setdefault(order.order_id, order)
    return list(found.values())[:count]


async def ends(system: System, orders: Sequence[PlaceOrder], folder: Path) -> dict[str, str]:
    """How each order ended; money and stock are looked at on the way."""
    cards = Cards(folder / "cards.jsonl", latency=0)
    outside = {Gateway: cards, Mailer: MailServer(folder / "mails.jsonl"), Carrier: Parcels(), Letters: Letters()}
    products = [product for product in Catalogue.read().products if product != SCARCE]
    async with run(system, outside) as world:
        await world.store(*(Shelf(product_id=product, received=500, on_hand=500) for product in products))
        for order in orders:
            await world.call(order)
        await world.clock.advance(minutes(1))  # calls that broke are made again
        await world.wait_idle()
        assert not await world.parked()
        rows = await world.find(OrderRow)
        confirmed = [row for row in rows if row.status == "confirmed"]
        assert taken(cards) == sum(row.total for row in confirmed)
        await add_up(world, orders, {row.order_id for row in confirmed})
        return {row.order_id: row.status for row in rows}


def taken(cards: Cards) -> Decimal:
    lines = cards.ledger.lines().values()
    charged = {line["payment"]: Decimal(line["amount"]) for line in lines if "payment" in line}
    return sum(charged.values()) - sum((charged[line["refunded"]] for line in lines if "refunded" in line), Decimal(0))


async def add_up(world: World, orders: Sequence[PlaceOrder], confirmed: set[str]) -> None:
    shelves = await world.find(Shelf)
    assert all(s.received == s.on_hand + s.reserved + s.shipped and not s.reserved for s in shelves)
    sold = sum(line.quantity for order in orders if order.order_id in confirmed for line in order.lines)
    assert sum(s.shipped for s in shelves) == sold


async def test_saga_and_choreography_end_every_order_alike(tmp_path: Path) -> None:
    orders = some_orders(120)
    conducted = await ends(shop, orders, tmp_path / "conducted")
    danced = await ends(choreographed, orders, tmp_path / "danced")
    assert conducted == danced
    assert len(conducted) == 120 and {*conducted.values()} == {"confirmed", "cancelled"}


async def test_a_seventh_service_changes_no_line_of_the_others(tmp_path: Path) -> None:
    loyalty = Service("loyalty")

    class Points(Row):
        order_id: Key[str]
        points: int

    @loyalty.on
    def collect(event: OrderPlaced) -> Points:
        return Points(order_id=event.order_id, points=int(event.total))

    outside = {Gateway: Cards(tmp_path / "c", latency=0), Mailer: MailServer(tmp_path / "m"), Carrier: Parcels()}
    async with run(System("shop", [*shop.services, loyalty]), outside) as world:
        order = some_orders(1)[0]
        receipt = await world.call(order)
        points = await world.get(Points, order.order_id, after=receipt)
        assert points is not None and points.points == int(receipt.outcome.total)
