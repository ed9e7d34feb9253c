"""The shop's own entry: orders come in as lines of a CSV file, are looked at, and placed. Many at once.

    python -m shop.entry [orders.csv]

What makes no sense is refused with a sentence. An order that comes twice is recognised and placed once, also if it
comes on another day: its number is the key by which the system knows a repetition.
"""

import asyncio
import csv
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from shop.catalogue import Catalogue, Product
from shop.messages import Line, OrderPlaced, PlaceOrder, ReceiveStock
from tidings import Client, Rejected, Stale
from tidings.clock import SystemClock, from_micro

ORDERS = Path(__file__).with_name("orders.csv")
COLUMNS = ["order", "customer", "ship_to", "items"]
What: TypeAlias = Literal["placed", "recognised", "refused", "waiting"]


class WrongLine(ValueError):
    """This line is no order. The message says why, to whoever wrote it."""


@dataclass(frozen=True, slots=True)
class Entered:
    """What became of a line. `waiting`: it is kept, but nobody has answered yet."""

    line: int
    order_id: str
    what: What
    text: str = ""


def read_order(text: str, catalogue: Catalogue) -> PlaceOrder:
    """The order that a line asks for. Raises WrongLine."""
    fields = [field for row in csv.reader([text]) for field in row]
    if len(fields) != len(COLUMNS) or not all(fields):
        raise WrongLine(f"{text!r} is not {','.join(COLUMNS)}")
    order_id, customer, ship_to, items = fields
    lines = tuple(_line(item, catalogue) for item in items.split())
    return PlaceOrder(order_id=order_id, customer_id=customer, ship_to=ship_to, lines=lines)


def _line(item: str, catalogue: Catalogue) -> Line:
    name, _, quantity = item.partition(":")
    product = catalogue.products.get(name)
    if product is None:
        raise WrongLine(f"we have no {name!r}")
    try:
        return Line(product_id=name, quantity=int(quantity), price=product.price)
    except ValueError:
        raise WrongLine(f"{item!r} does not say how many") from None


class Entry:
    """`at_once`: how many orders are on their way at the same time."""

    def __init__(self, client: Client, catalogue: Catalogue, *, at_once: int = 64) -> None:
        self.client, self.catalogue = client, catalogue
        self.clock = SystemClock()
        self._gate = asyncio.Semaphore(at_once)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def open_shop(self) -> None:
        """Receive the first stock; a shop that opens twice receives it once."""
        await asyncio.gather(*map(self._receive, self.catalogue.products.values()))

    async def _receive(self, product: Product) -> None:
        command = ReceiveStock(product_id=product.product_id, quantity=product.stock)
        await self.client.call(command, id=f"first {product.product_id}")

    async def take_all(self, texts: Iterable[str]) -> list[Entered]:
        return await asyncio.gather(*(self.take(number, text) for number, text in enumerate(texts, 2)))

    async def take(self, number: int, text: str) -> Entered:
        """One line of the file; lines are counted from 1, and the first names the columns."""
        try:
            order = read_order(text, self.catalogue)
        except WrongLine as wrong:
            return Entered(number, "", "refused", f"line {number} is refused: {wrong}")
        async with self._gate, self._turns[order.order_id]:
            return await self._place(number, order)

    async def _place(self, number: int, order: PlaceOrder) -> Entered:
        asked = from_micro(self.clock.now())
        try:
            placed: OrderPlaced = (await self.client.call(order, id=order.order_id)).outcome
        except Rejected as no:
            return Entered(number, order.order_id, "refused", f"line {number} is refused: {no.message}")
        except Stale as late:
            return Entered(number, order.order_id, "waiting", f"line {number} waits: {late.message}")
        if placed.placed_at >= asked:
            return Entered(number, order.order_id, "placed")
        if (placed.customer_id, placed.ship_to, placed.lines) != (order.customer_id, order.ship_to, order.lines):
            text = f"line {number} is refused: order {order.order_id} was placed before, and was another one"
            return Entered(number, order.order_id, "refused", text)
        text = f"line {number} is recognised: order {order.order_id} was placed before, and is placed once"
        return Entered(number, order.order_id, "recognised", text)


def read_lines(path: Path = ORDERS) -> list[str]:
    """The lines of a file of orders, without the one that names the columns."""
    return path.read_text(encoding="utf-8").splitlines()[1:]


async def main(path: Path) -> None:
    from shop.system import shop

    async with shop.connect() as client:
        entry = Entry(client, Catalogue.read())
        await entry.open_shop()
        entered = await entry.take_all(read_lines(path))
    for one in entered:
        if one.text:
            print(one.text)
    print(f"{sum(one.what == 'placed' for one in entered)} orders placed")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ORDERS))
