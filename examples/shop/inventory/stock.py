"""Stock: one row a product, one a reservation. What a handler returns is written in one commit, or none of it is.

A command is keyed by its order and touches the shelves of several products, so two members may want one shelf at the
same moment. Nobody locks: a decision is kept only if every row that it read is still as it was, else it is made again.
"""

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
from tidings import Delete, Key, Row, Rows, Service

inventory = Service("inventory")


class Shelf(Row, table="shelves"):
    """What was received is on hand, reserved for an order, or shipped: the three always add up."""

    product_id: Key[str]
    received: int = 0
    on_hand: int = 0
    reserved: int = 0
    shipped: int = 0


class Reservation(Row, table="reservations"):
    order_id: Key[str]
    lines: tuple[Line, ...] = ()  # a column of JSON


@inventory.command
def receive(command: ReceiveStock, shelf: Shelf) -> tuple[StockReceived, Shelf]:
    shelf.received += command.quantity
    shelf.on_hand += command.quantity
    return StockReceived(product_id=command.product_id, quantity=command.quantity), shelf


@inventory.command
async def reserve(
    command: ReserveStock, shelves: Rows[Shelf]
) -> tuple[StockReserved | Reservation | Shelf, ...] | StockRejected:
    taken: list[Shelf] = []
    for line in command.lines:
        shelf = await shelves.get(line.product_id)
        if shelf is None or shelf.on_hand < line.quantity:
            return StockRejected(order_id=command.order_id, reason=f"{line.product_id} is out of stock")
        shelf.on_hand -= line.quantity
        shelf.reserved += line.quantity
        taken.append(shelf)
    return (
        StockReserved(order_id=command.order_id),
        Reservation(order_id=command.order_id, lines=command.lines),
        *taken,
    )


@inventory.command
async def release(
    command: ReleaseStock, reservation: Reservation, shelves: Rows[Shelf]
) -> tuple[StockReleased | Delete[Reservation] | Shelf, ...]:
    freed: list[Shelf] = []
    for line in reservation.lines:
        if shelf := await shelves.get(line.product_id):
            shelf.reserved -= line.quantity
            shelf.on_hand += line.quantity
            freed.append(shelf)
    return StockReleased(order_id=command.order_id), Delete(reservation), *freed


@inventory.on
async def send_out(
    event: ShipmentCreated, reservation: Reservation, shelves: Rows[Shelf]
) -> tuple[Delete[Reservation] | Shelf, ...]:
    emptied: list[Shelf] = []
    for line in reservation.lines:
        if shelf := await shelves.get(line.product_id):
            shelf.reserved -= line.quantity
            shelf.shipped += line.quantity
            emptied.append(shelf)
    return Delete(reservation), *emptied
