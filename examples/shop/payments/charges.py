"""Charging and refunding. The event tells everyone what the provider answered to us alone."""

from shop.messages import ChargePayment, PaymentFailed, PaymentRefunded, PaymentSucceeded, RefundPayment
from shop.payments.gateway import Declined, Gateway
from tidings import Delivery, Retry, Service, hours, seconds

payments = Service("payments", retry=Retry(first=seconds(0.2), deadline=hours(1), on=(ConnectionError, TimeoutError)))


@payments.resource
def gateway() -> Gateway:
    from shop.outside.cards import Cards

    return Cards.here()


@payments.command
async def charge(command: ChargePayment, gateway: Gateway, delivery: Delivery) -> PaymentSucceeded | PaymentFailed:
    try:
        payment_id = await gateway.charge(command.customer_id, command.amount, idempotency_key=delivery.idempotency_key)
    except Declined as no:
        return PaymentFailed(order_id=command.order_id, reason=str(no))
    return PaymentSucceeded(order_id=command.order_id, payment_id=payment_id, amount=command.amount)


@payments.command
async def refund(command: RefundPayment, gateway: Gateway, delivery: Delivery) -> PaymentRefunded:
    await gateway.refund(command.payment_id, idempotency_key=delivery.idempotency_key)
    return PaymentRefunded(order_id=command.order_id, payment_id=command.payment_id)
