"""The card provider, as far as payments needs it. Who implements it may sit in this process or behind a network."""

from decimal import Decimal
from typing import Protocol


class Declined(Exception):
    """The bank said no. That is an answer, not an error of ours."""


class Gateway(Protocol):
    """Both calls may be made again with the same key: the provider then does nothing, and answers as it did before."""

    async def charge(self, customer_id: str, amount: Decimal, *, idempotency_key: str) -> str:
        """Take the money; the id of the payment. Raises Declined, or ConnectionError where nobody knows."""
        ...

    async def refund(self, payment_id: str, *, idempotency_key: str) -> None:
        """Give all of it back."""
        ...
