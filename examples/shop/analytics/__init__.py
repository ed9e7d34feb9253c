"""Read models: tables that anyone may query, thrown away and rebuilt at will."""

from shop.analytics.overview import OrderRow, orders
from shop.analytics.questions import TopProduct, bestsellers, orders_of, outcomes
from shop.analytics.sales import DaySales, days_sales, products_sold
from shop.analytics.service import analytics

__all__ = [
    "DaySales",
    "OrderRow",
    "TopProduct",
    "analytics",
    "bestsellers",
    "days_sales",
    "orders",
    "orders_of",
    "outcomes",
    "products_sold",
]
