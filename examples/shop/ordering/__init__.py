"""Orders, event-sourced: an order is what has happened to it."""

from shop.ordering.orders import Order, ordering
from shop.ordering.reactions import ordering_reactions

__all__ = ["Order", "ordering", "ordering_reactions"]
