"""A shop, built of services that know only each other's messages. `tidings run shop:shop`, or `shop:choreographed`."""

from shop.system import choreographed, shop

__all__ = ["choreographed", "shop"]
