"""What the benchmarks tell and handle: orders of ten fields with a nested list, payments, deposits, and their services.

Floors use these same classes and functions, so that a ratio compares frameworks and not events.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from tidings import Aggregate, Command, Event, Key, Service, System, Topic

PARTITIONS, KEYS = 8, 1000
NOW = datetime(2026, 1, 1, tzinfo=UTC)

order_events = Topic("order-events", partitions=PARTITIONS)
payment_events = Topic("payment-events", partitions=PARTITIONS)
account_events = Topic("account-events", partitions=PARTITIONS)


class Item(msgspec.Struct, frozen=True):
    sku: str
    quantity: int
    price: Decimal


class OrderPlaced(Event, topic=order_events):
    order_id: Key[str]
    customer_id: UUID
    email: str
    items: tuple[Item, ...]
    total: Decimal
    currency: str
    placed_at: datetime
    note: str | None
    gift: bool
    attempt: int


class PaymentRequested(Event, topic=payment_events):
    order_id: Key[str]
    amount: Decimal
    currency: str
    at: datetime


def order(number: int, keys: int = KEYS) -> OrderPlaced:
    items = (Item(f"sku-{number % 97}", 2, Decimal("9.99")), Item("sku-2", 1, Decimal("120.00")))
    return OrderPlaced(
        order_id=f"order-{number % keys:08d}",
        customer_id=UUID(int=number % 1000 << 64),
        email="someone@example.org",
        items=items,
        total=Decimal("139.98"),
        currency="EUR",
        placed_at=NOW,
        note=None,
        gift=False,
        attempt=number,
    )


# ---- a service that hears an order and asks for its payment --------------------------------------------------------


class Tally:
    """How many events the handler has seen, in ours and in the floor alike."""

    n = 0


handled = Tally()
payments = Service("payments")


@payments.on
def request_payment(event: OrderPlaced) -> PaymentRequested:
    handled.n += 1
    return PaymentRequested(order_id=event.order_id, amount=event.total, currency=event.currency, at=NOW)


shop = System("shop", [payments])


# ---- an account, which is what has happened to it ------------------------------------------------------------------


class Deposited(Event, topic=account_events):
    account_id: Key[str]
    amount: int
    reference: str


class Fill(Command[Deposited]):
    """Many deposits at once, to have a long history soon."""

    account_id: Key[str]
    first: int
    count: int


class Account(Aggregate):
    balance: int = 0

    def apply(self, event: Deposited) -> None:
        self.balance += event.amount


class Opening(Aggregate, name="Account"):
    """The same streams through another fold, as after a change of code: no snapshot of the old one fits it."""

    balance: int = 0
    deposits: int = 0

    def apply(self, event: Deposited) -> None:
        self.balance += event.amount
        self.deposits += 1


def deposit(account: str, number: int) -> Deposited:
    return Deposited(account_id=account, amount=1, reference=f"ref-{number:06d}")


accounts, accounts_anew = Service("accounts"), Service("accounts")


@accounts.command
def fill(command: Fill, account: Account) -> Sequence[Deposited]:
    return [deposit(command.account_id, command.first + n) for n in range(command.count)]


@accounts_anew.command
def fill_anew(command: Fill, account: Opening) -> Sequence[Deposited]:
    return [deposit(command.account_id, command.first + n) for n in range(command.count)]


bank = System("bank", [accounts])
bank_anew = System("bank", [accounts_anew])
