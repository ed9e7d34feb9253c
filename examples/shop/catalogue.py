"""What the shop sells: a table of products that ships with it."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Self

FILE = Path(__file__).with_name("products.csv")


@dataclass(frozen=True, slots=True)
class Product:
    """`stock`: how many come in when the shop opens."""

    product_id: str
    price: Decimal
    stock: int


class Catalogue:
    def __init__(self, products: Mapping[str, Product]) -> None:
        self.products = products

    @classmethod
    def read(cls, path: Path = FILE) -> Self:
        with path.open(encoding="utf-8", newline="") as file:
            found = [Product(row["product"], Decimal(row["price"]), int(row["stock"])) for row in csv.DictReader(file)]
        return cls({product.product_id: product for product in found})
