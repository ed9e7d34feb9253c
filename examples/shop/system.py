"""The shop, twice: the same services, conducted by a saga, or each reacting to the others. Same outcomes."""

from shop.analytics import analytics
from shop.checkout import checkout
from shop.inventory import inventory, inventory_reactions
from shop.notifications import notifications
from shop.ordering import ordering, ordering_reactions
from shop.payments import payments, payments_reactions
from shop.shipping import shipping, shipping_reactions
from tidings import System

services = [ordering, payments, inventory, shipping, notifications, analytics]
reactions = [ordering_reactions, payments_reactions, inventory_reactions, shipping_reactions]

shop = System("shop", [*services, checkout])
choreographed = System("shop-choreographed", [*services, *reactions])
