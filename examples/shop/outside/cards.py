"""A card provider in this process. Behind a network it would implement the same Gateway.

Whether a card is good depends on the customer and the amount alone, so every run of the same orders ends alike. A
hundredth of all calls breaks: half of these before the money moved, half after it, when only a repetition finds out.
"""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Self
from zlib import crc32

from shop.outside.ledger import Ledger, Line, folder
from shop.payments import Declined

LIMIT = Decimal(400)  # a single payment above it is declined
EXPIRED = 25  # one customer in so many has a card that expired


class Cards:
    """`latency`: how long a call takes, in seconds."""

    def __init__(self, ledger: Path, *, latency: float = 0.02) -> None:
        self.ledger = Ledger(ledger)
        self.latency = latency
        self._broken: set[str] = set()

    @classmethod
    def here(cls) -> Self:
        return cls(folder() / "cards.jsonl")

    async def charge(self, customer_id: str, amount: Decimal, *, idempotency_key: str) -> str:
        await asyncio.sleep(self.latency)
        self._break(idempotency_key, before=True)
        line = self.ledger.once(idempotency_key, lambda: _charged(customer_id, amount, idempotency_key))
        if why := line.get("declined"):
            raise Declined(why)
        self._break(idempotency_key, before=False)
        return str(line["payment"])

    async def refund(self, payment_id: str, *, idempotency_key: str) -> None:
        await asyncio.sleep(self.latency)
        self.ledger.once(idempotency_key, lambda: {"refunded": payment_id})

    def _break(self, key: str, *, before: bool) -> None:
        if crc32(key.encode()) % 200 == int(before) and key not in self._broken:
            self._broken.add(key)
            raise ConnectionError("the card provider hung up")


def _charged(customer_id: str, amount: Decimal, key: str) -> Line:
    if crc32(customer_id.encode()) % EXPIRED == 0:
        return {"declined": "the card has expired"}
    if amount > LIMIT:
        return {"declined": f"more than {LIMIT} at once"}
    return {"payment": f"pay-{key[:12]}", "amount": str(amount)}
