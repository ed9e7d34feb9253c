"""Writes orders.csv: 2,000 orders, and among them the lines that people really send. `python -m shop.make_orders`.

The same seed writes the same file. It lies beside this script and ships with it, so nobody needs to run this.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from shop.catalogue import Catalogue, Product

FILE = Path(__file__).with_name("orders.csv")
ORDERS = 2_000
FIRST = [
    "Ada",
    "Bela",
    "Chidi",
    "Dora",
    "Emil",
    "Farah",
    "Goran",
    "Hana",
    "Ines",
    "Kofi",
    "Lena",
    "Nora",
    "Otto",
    "Yuki",
]
LAST = [
    "Adler",
    "Costa",
    "Dubois",
    "Ferri",
    "Haas",
    "Ito",
    "Kaya",
    "Lund",
    "Novak",
    "Okafor",
    "Rossi",
    "Silva",
    "Weiss",
]
COUNTRIES = ["DE"] * 6 + ["FR"] * 2 + ["AT", "BE", "CH", "DK", "ES", "IT", "NL", "PL", "SE"]
FAR = ["AQ", "GL", "PN"]  # where no carrier goes
CURIOUS = "Bobby {Tables}"  # a name that breaks the first release of the mails
BAD = {  # placed behind this many orders
    23: "{next},Ada Adler,DE,time-machine:1",
    37: "{next},Emil Ito,DE,mug:-3",
    52: "{next};Nora Lund;DE;teapot:1",
    71: "{again}",
    404: "{next},Otto Weiss,CH,mug",
    555: "{again}",
    808: "{next},Rosa Kaya,AT,tea:2",
    1111: "{again}",
    1303: "{next},Yuki Silva",
    1501: "{other}",
    1777: "{next},Malik Haas,SE,ink:0",
}


def orders(random: Random, products: Sequence[Product]) -> Iterator[str]:
    """Good lines, in the order of their numbers."""
    weights = [1 + 4 * random.random() if product.stock > 1000 else 1 for product in products]
    for number in range(1, ORDERS + 1):
        customer = CURIOUS if number == 42 else f"{random.choice(FIRST)} {random.choice(LAST)}"
        country = "DE" if number == 42 else random.choice(FAR if random.random() < 0.035 else COUNTRIES)
        chosen = random.choices(
            [product.product_id for product in products], weights, k=random.choice([1, 1, 1, 2, 2, 3])
        )
        items = " ".join(f"{product}:{random.choice([1, 1, 1, 2, 2, 3])}" for product in dict.fromkeys(chosen))
        yield f"{name(number)},{customer},{country},{'honey:1' if number == 42 else items}"


def name(number: int) -> str:
    return f"o-{number:04}"


def lines() -> Iterator[str]:
    random = Random(7)
    written: list[str] = []
    wrong = 9000  # numbers of orders that never come to be
    for number, line in enumerate(orders(random, list(Catalogue.read().products.values())), 1):
        written.append(line)
        yield line
        if number in BAD:
            wrong += 1
            old = random.choice(written[: number // 2])
            other = old.rpartition(",")[0] + ",candle:1"
            yield BAD[number].format(next=name(wrong), again=old, other=other)


def main() -> None:
    FILE.write_text("order,customer,ship_to,items\n" + "".join(f"{line}\n" for line in lines()), encoding="utf-8")


if __name__ == "__main__":
    main()
