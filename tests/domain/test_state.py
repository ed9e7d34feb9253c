"""Aggregates and rows: what is refused at import, what is known of the right ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.domain.trade import (
    Cancelled,
    Charge,
    Confirmed,
    DayTally,
    Order,
    Placed,
    Shelf,
)
from tidings import (
    Aggregate,
    DefinitionError,
    Key,
    Row,
)
from tidings.domain.state import folds

# ---- states ----


def no_fold() -> None:
    class Basket(Aggregate):
        items: int = 0


def fold_that_waits() -> None:
    class Basket(Aggregate):
        async def apply(self, event: Placed) -> None: ...


def fold_from_something() -> None:
    class Basket(Aggregate):
        name: str = ""
        items: int

        def apply(self, event: Placed) -> None: ...


def fold_of_nothing() -> None:
    class Basket(Aggregate):
        def apply(self, event) -> None: ...  # type: ignore[no-untyped-def]

    folds(Basket)


def fold_of_two() -> None:
    class Basket(Aggregate):
        def apply(self, event: Placed, other: Placed) -> None: ...

    folds(Basket)


def fold_of_commands() -> None:
    class Basket(Aggregate):
        def apply(self, event: Placed | Charge) -> None: ...

    folds(Basket)


def aggregate_with_table() -> None:
    class Basket(Aggregate, table="baskets"):
        def apply(self, event: Placed) -> None: ...


def row_with_name() -> None:
    class Basket(Row, name="baskets"):
        id: Key[str]


def row_without_key() -> None:
    class Basket(Row):
        items: int = 0


def row_with_two_keys() -> None:
    class Basket(Row):
        id: Key[str]
        other: Key[str]


def row_with_a_key_of_floats() -> None:
    class Basket(Row):
        weight: Key[float]


def table_name() -> None:
    class Basket(Row, table="my baskets"):
        id: Key[str]


def table_of_a_number() -> None:
    class Basket(Row, table=3):
        id: Key[str]


def table_of_ours() -> None:
    class Basket(Row, table="tidings_log"):
        id: Key[str]


def frozen_row() -> None:
    class Basket(Row, frozen=True):  # type: ignore[misc]
        id: Key[str]


wrong: list[tuple[Callable[[], None], str]] = [
    (no_fold, "Basket cannot be folded"),
    (fold_that_waits, "is async"),
    (fold_from_something, "Basket.items has no default"),
    (fold_of_nothing, "does not say which events it takes"),
    (fold_of_two, "does not say which events it takes"),
    (fold_of_commands, "takes Charge, which is no event"),
    (aggregate_with_table, "Basket is an aggregate and has no table"),
    (row_with_name, "Basket is a row"),
    (row_without_key, "Basket needs one key"),
    (row_with_two_keys, "Basket needs one key, not id and other"),
    (row_with_a_key_of_floats, "Basket.weight cannot be a key: it is float"),
    (table_name, "Basket cannot be called 'my baskets'"),
    (table_of_a_number, "Basket cannot be called 3"),
    (table_of_ours, "Basket cannot be called 'tidings_log'"),
    (frozen_row, "Basket: frozen=True is not possible"),
]


@pytest.mark.parametrize(("program", "sentence"), wrong, ids=[p.__name__ for p, _ in wrong])
def test_a_wrong_program_is_refused_with_a_sentence_and_a_hint(program: Callable[[], None], sentence: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        program()
    assert sentence in str(caught.value)
    assert caught.value.hint


def test_an_aggregate_says_what_it_folds_also_by_its_base() -> None:
    class Named(Order, name="order"):
        extra: int = 0

    assert folds(Named) == folds(Order) == (Placed, Confirmed, Cancelled)
    assert (Named.__space__, Order.__space__) == ("order", "Order")


def test_a_table_is_called_after_its_class_unless_named() -> None:
    class HTTPRequestRow(Row):
        id: Key[str]

    assert (HTTPRequestRow.__space__, DayTally.__space__, Shelf.__space__) == (
        "http_request_row",
        "day_tally",
        "shelves",
    )


def test_a_row_may_be_changed_and_an_aggregate_starts_from_nothing() -> None:
    shelf = Shelf(product_id="tea")
    shelf.on_hand += 3
    assert shelf == Shelf(product_id="tea", on_hand=3)
    assert Order().status == "new"


def test_defaults_of_bases_count() -> None:
    class Base(Row, table="base_rows"):
        id: Key[str]
        note: str = ""

    class Below(Base, table="below_rows"):
        count: int = 0

    assert Below(id="a").note == ""
    assert Below.__key__ == "id"
