"""Mails. A mail cannot be taken back: sent at least once, with an id by which the mail server knows a repetition."""

from typing import Protocol

from shop.messages import OrderCancelled, OrderConfirmed, OrderPlaced, ShipmentCreated
from shop.notifications.letters import Letters
from tidings import Cancel, Command, Delivery, Key, Later, Retry, Row, Service, days, hours, seconds

notifications = Service("notifications", guarantee="at-least-once", retry=Retry(first=seconds(5), deadline=hours(6)))


class Mailer(Protocol):
    """The mail server, as far as notifications needs it. The same message id again sends nothing."""

    async def send(self, customer_id: str, text: str, *, message_id: str) -> None: ...


@notifications.resource
def mailer() -> Mailer:
    from shop.outside.mail import MailServer

    return MailServer.here()


@notifications.resource
def letters() -> Letters:
    return Letters.here()


class Contact(Row, table="contacts"):
    order_id: Key[str]
    customer_id: str


@notifications.on
async def thank(event: OrderPlaced, mailer: Mailer, letters: Letters, delivery: Delivery) -> Contact:
    text = letters.write(event.customer_id, event.order_id, f"thank you, that is {event.total} {event.currency}")
    await mailer.send(event.customer_id, text, message_id=delivery.idempotency_key)
    return Contact(order_id=event.order_id, customer_id=event.customer_id)


@notifications.on
async def tell(
    event: OrderConfirmed | OrderCancelled, contact: Contact, mailer: Mailer, letters: Letters, delivery: Delivery
) -> None:
    news = f"we had to cancel it, {event.reason}" if isinstance(event, OrderCancelled) else "it is on its way"
    text = letters.write(contact.customer_id, event.order_id, news)
    await mailer.send(contact.customer_id, text, message_id=delivery.idempotency_key)


# A week after the parcel left, ask how it was, unless the order came to nothing.


class AskForReview(Command):
    order_id: Key[str]


@notifications.on
def ask_later(event: ShipmentCreated) -> Later[AskForReview]:
    return Later(AskForReview(order_id=event.order_id), after=days(7))


@notifications.on
def do_not_ask(event: OrderCancelled) -> Cancel[AskForReview]:
    return Cancel(AskForReview, key=event.order_id)


@notifications.command
async def ask(command: AskForReview, contact: Contact, mailer: Mailer, letters: Letters, delivery: Delivery) -> None:
    text = letters.write(contact.customer_id, command.order_id, "how was it?")
    await mailer.send(contact.customer_id, text, message_id=delivery.idempotency_key)
