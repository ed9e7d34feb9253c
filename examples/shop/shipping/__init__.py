"""Shipping: books parcels with a carrier, whose old library blocks."""

from shop.shipping.reactions import shipping_reactions
from shop.shipping.shipments import Carrier, shipping

__all__ = ["Carrier", "shipping", "shipping_reactions"]
