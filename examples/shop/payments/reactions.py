"""Choreography: payments knows when to act, and remembers what it may have to give back."""

from shop.messages import ChargePayment, OrderPlaced, PaymentSucceeded, RefundPayment, ShippingFailed, StockRejected
from tidings import Key, Row, Service

payments_reactions = Service("payments.reactions")


class Charged(Row, table="charged_payments"):
    order_id: Key[str]
    payment_id: str


@payments_reactions.on
def charge_placed(event: OrderPlaced) -> ChargePayment:
    return ChargePayment(order_id=event.order_id, customer_id=event.customer_id, amount=event.total)


@payments_reactions.on
def remember(event: PaymentSucceeded) -> Charged:
    return Charged(order_id=event.order_id, payment_id=event.payment_id)


@payments_reactions.on
def refund_failed(event: StockRejected | ShippingFailed, charged: Charged) -> RefundPayment:
    return RefundPayment(order_id=event.order_id, payment_id=charged.payment_id)
