"""Shipments: code that blocks is marked so, and runs on a thread."""

from collections.abc import Iterator
from typing import Protocol

from shop.messages import CreateShipment, ShipmentCreated, ShippingFailed
from tidings import Delivery, Service, Temporary, minutes

shipping = Service("shipping")


class Carrier(Protocol):
    """The carrier, as far as shipping needs it. The same reference again books nothing new."""

    def book(self, ship_to: str, *, reference: str) -> str | None:
        """The id of the shipment; None where it does not go there. Raises OSError where it does not answer."""
        ...


@shipping.resource
def carrier() -> Iterator[Carrier]:
    from shop.outside.parcels import Parcels

    with Parcels() as opened:
        yield opened


@shipping.command(blocking=True)
def create(command: CreateShipment, carrier: Carrier, delivery: Delivery) -> ShipmentCreated | ShippingFailed:
    try:
        shipment_id = carrier.book(command.ship_to, reference=delivery.idempotency_key)
    except OSError as unreachable:
        raise Temporary("the carrier does not answer", after=minutes(1)) from unreachable
    if shipment_id is None:
        return ShippingFailed(order_id=command.order_id, reason=f"no carrier goes to {command.ship_to}")
    return ShipmentCreated(order_id=command.order_id, shipment_id=shipment_id)
