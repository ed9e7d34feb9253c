"""The checkout, orchestrated: one class says what happens to an order, and what is undone when it fails."""

from shop.messages import (
    CancelOrder,
    ChargePayment,
    ConfirmOrder,
    CreateShipment,
    OrderPlaced,
    RefundPayment,
    ReleaseStock,
    ReserveStock,
)
from tidings import Saga, Service, minutes, step

checkout = Service("checkout")


@checkout.saga
class Checkout(Saga[OrderPlaced], timeout=minutes(15)):
    @step
    def reserve(self) -> ReserveStock:
        return ReserveStock(order_id=self.start.order_id, lines=self.start.lines)

    @reserve.undo
    def release(self) -> ReleaseStock:
        return ReleaseStock(order_id=self.start.order_id)

    @step(beside=reserve)
    def charge(self) -> ChargePayment:
        return ChargePayment(order_id=self.start.order_id, customer_id=self.start.customer_id, amount=self.start.total)

    @charge.undo
    def refund(self) -> RefundPayment:
        return RefundPayment(order_id=self.start.order_id, payment_id=self.charge.done.payment_id)

    @step
    def ship(self) -> CreateShipment:
        return CreateShipment(order_id=self.start.order_id, ship_to=self.start.ship_to)

    def completed(self) -> ConfirmOrder:
        return ConfirmOrder(order_id=self.start.order_id)

    def failed(self) -> CancelOrder:
        return CancelOrder(order_id=self.start.order_id, reason=self.reason)
