"""Inventory: what is on the shelves, what is set aside, what has gone out."""

from shop.inventory.reactions import inventory_reactions
from shop.inventory.stock import Reservation, Shelf, inventory

__all__ = ["Reservation", "Shelf", "inventory", "inventory_reactions"]
