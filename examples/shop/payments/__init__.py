"""Payments: a card is charged by a call that waits for the answer; everything else hears of it by event."""

from shop.payments.charges import payments
from shop.payments.gateway import Declined, Gateway
from shop.payments.reactions import payments_reactions

__all__ = ["Declined", "Gateway", "payments", "payments_reactions"]
