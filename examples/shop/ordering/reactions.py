"""Choreography: no one conducts, ordering listens for the ends of others."""

from shop.messages import CancelOrder, ConfirmOrder, PaymentFailed, ShipmentCreated, ShippingFailed, StockRejected
from tidings import Service

ordering_reactions = Service("ordering.reactions")


@ordering_reactions.on
def confirm_shipped(event: ShipmentCreated) -> ConfirmOrder:
    return ConfirmOrder(order_id=event.order_id)


@ordering_reactions.on
def cancel_failed(event: PaymentFailed | StockRejected | ShippingFailed) -> CancelOrder:
    return CancelOrder(order_id=event.order_id, reason=event.reason)
