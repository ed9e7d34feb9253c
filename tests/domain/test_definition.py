"""Wrong handlers, and the sentence that each gets at import."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar

import pytest

from tests.domain import trade
from tests.domain.trade import (
    Cancelled,
    Charge,
    Confirmed,
    DayTally,
    Forget,
    Gateway,
    Note,
    Order,
    Overview,
    Paid,
    Placed,
    Reserved,
    Shelf,
    day_of,
    order_events,
)
from tidings import (
    By,
    DefinitionError,
    Delete,
    Event,
    Key,
    Later,
    Row,
    Rows,
    Service,
    Tick,
    Transaction,
    hours,
)
from tidings.domain.service import Effects

T = TypeVar("T")


class Box(Event, Generic[T], topic=order_events):
    order_id: Key[str]
    what: T


def on(function: Any, **options: Any) -> None:
    Service("x", **options).on(function)


def command(function: Any) -> None:
    Service("x").command(function)


# ---- what is heard ----


def nothing_taken() -> None:
    def hear() -> None: ...

    on(hear)


def untyped_message() -> None:
    def hear(event) -> None: ...  # type: ignore[no-untyped-def]

    on(hear)


def no_return_annotation() -> None:
    def hear(event: Placed): ...  # type: ignore[no-untyped-def]  # noqa: ANN202

    on(hear)


def command_in_on() -> None:
    def hear(command: Charge) -> None: ...

    on(hear)


def event_in_command() -> None:
    def hear(event: Placed) -> None: ...

    command(hear)


def any_event() -> None:
    def hear(event: Event) -> None: ...

    on(hear)


def half_an_event() -> None:
    def hear(event: Placed | int) -> None: ...

    on(hear)


def event_without_its_type() -> None:
    def hear(event: Box[int]) -> None: ...

    on(hear)


def private_event() -> None:
    def hear(event: Cancelled | Note) -> None: ...

    on(hear)


def two_commands() -> None:
    def hear(command: trade.Confirm | Forget) -> Confirmed: ...  # type: ignore[empty-body]

    command(hear)


def tick_of_another_kind() -> None:
    def count(event: Placed) -> None: ...

    Service("x").every(hours(1))(count)  # type: ignore[arg-type]


def tick_without_pause() -> None:
    def count(tick: Tick) -> None: ...

    Service("x").every(hours(0))(count)


def unknown_type() -> None:
    def hear(event: Placed, row: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    on(hear)


def no_type_at_all() -> None:
    def hear(event: Placed, row: Overview) -> None: ...

    hear.__annotations__["row"] = "3 +"
    on(hear)


def attribute_that_is_not_there() -> None:
    def hear(event: trade.Nothing) -> None: ...  # type: ignore[name-defined]

    on(hear)


def no_function() -> None:
    on(print)


# ---- what is handed in ----


def untyped_parameter() -> None:
    def hear(event: Placed, row) -> None: ...  # type: ignore[no-untyped-def]

    on(hear)


def parameter_with_default() -> None:
    def hear(event: Placed, gateway: Gateway | None = None) -> None: ...

    on(hear)


def keyword_only() -> None:
    def hear(event: Placed, *, gateway: Gateway) -> None: ...

    on(hear)


def stars() -> None:
    def hear(event: Placed, *rows: Overview) -> None: ...

    on(hear)


def union_of_states() -> None:
    def hear(event: Placed, row: Overview | Shelf) -> None: ...

    on(hear)


def plain_value() -> None:
    def hear(event: Placed, limit: int) -> None: ...

    on(hear)


def second_message() -> None:
    def hear(event: Placed, other: Paid) -> None: ...

    on(hear)


def optional_resource() -> None:
    def hear(event: Placed, gateway: Gateway | None) -> None: ...

    on(hear)


def optional_aggregate() -> None:
    def hear(event: Placed, order: Order | None) -> None: ...

    on(hear)


def any_row() -> None:
    def hear(event: Placed, row: Row) -> None: ...

    on(hear)


def rows_of_nothing() -> None:
    def hear(event: Placed, rows: Rows) -> None: ...  # type: ignore[type-arg]

    on(hear)


def rows_of_an_aggregate() -> None:
    def hear(event: Placed, rows: Rows[Order]) -> None: ...  # type: ignore[type-var]

    on(hear)


def same_state_twice() -> None:
    def hear(event: Placed, one: Overview, other: Overview) -> None: ...

    on(hear)


def by_on_a_resource() -> None:
    def hear(event: Placed, gateway: Annotated[Gateway, By("order_id")]) -> None: ...

    on(hear)


def misspelt_field() -> None:
    def hear(event: Placed, row: Annotated[Overview, By("custommer_id")]) -> None: ...

    on(hear)


def field_that_one_of_two_has() -> None:
    def hear(event: Placed | Paid, row: Annotated[Overview, By("payment_id")]) -> None: ...

    on(hear)


def wrong_key_field() -> None:
    def hear(event: Placed, tally: Annotated[DayTally, By("customer_id")]) -> None: ...

    on(hear)


def wrong_key() -> None:
    def hear(event: Placed, tally: DayTally) -> None: ...

    on(hear)


def wrong_key_function() -> None:
    def hear(event: Placed, row: Annotated[Overview, By(day_of)]) -> None: ...

    on(hear)


def key_function_of_another_event() -> None:
    def hear(event: Paid, tally: Annotated[DayTally, By(day_of)]) -> None: ...

    on(hear)


def key_function_that_says_nothing() -> None:
    def key(event: Placed): ...  # type: ignore[no-untyped-def]  # noqa: ANN202

    def hear(event: Placed, row: Annotated[Overview, By(key)]) -> None: ...

    on(hear)


def no_key_to_find_by() -> None:
    def count(tick: Tick, row: Overview) -> None: ...

    Service("x").every(hours(1))(count)


# ---- how it runs ----


def async_and_blocking() -> None:
    async def hear(event: Placed) -> None: ...

    Service("x").on(blocking=True)(hear)


def async_transaction() -> None:
    async def hear(event: Placed, tx: Transaction) -> None: ...

    on(hear)


def blocking_transaction() -> None:
    def hear(event: Placed, tx: Transaction) -> None: ...

    Service("x").on(blocking=True)(hear)


def transaction_and_row() -> None:
    def hear(event: Placed, tx: Transaction, row: Overview) -> None: ...

    on(hear)


def transaction_and_returned_row() -> None:
    def hear(event: Placed, tx: Transaction) -> Overview: ...  # type: ignore[empty-body]

    on(hear)


# ---- what may come of it ----


def number() -> None:
    def hear(event: Placed) -> int: ...  # type: ignore[empty-body]

    on(hear)


def bare_tuple() -> None:
    def hear(event: Placed) -> tuple: ...  # type: ignore[type-arg,empty-body]

    on(hear)


def anything() -> None:
    def hear(event: Placed) -> Effects: ...

    on(hear)


def any_delete() -> None:
    def hear(event: Placed) -> Delete: ...  # type: ignore[type-arg,empty-body]

    on(hear)


def delete_of_an_aggregate() -> None:
    def hear(event: Placed) -> Delete[Order]: ...  # type: ignore[type-var,empty-body]

    on(hear)


def later_row() -> None:
    def hear(event: Placed) -> Later[Overview]: ...  # type: ignore[type-var,empty-body]

    on(hear)


def aggregate_returned() -> None:
    def hear(event: Placed, order: Order) -> Order: ...  # type: ignore[empty-body]

    on(hear)


def unfolded_event() -> None:
    def forget(command: Forget, order: Order) -> Reserved: ...  # type: ignore[empty-body]

    command(forget)


def unkept_private_event() -> None:
    def hear(event: Placed) -> Note: ...  # type: ignore[empty-body]

    on(hear)


def broken_promise() -> None:
    def charge(command: Charge) -> Paid: ...  # type: ignore[empty-body]

    command(charge)


wrong: list[tuple[Callable[[], None], str]] = [
    (nothing_taken, "takes nothing"),
    (untyped_message, "parameter 'event' has no type"),
    (no_return_annotation, "does not say what it may emit"),
    (command_in_on, "'command' is not an event"),
    (event_in_command, "'event' is not a command"),
    (any_event, "'event' is not an event"),
    (half_an_event, "'event' is not an event"),
    (event_without_its_type, "which has no name in the log"),
    (private_event, "hears Note, which is private"),
    (two_commands, "hears 2 commands"),
    (tick_of_another_kind, "'event' is not a Tick"),
    (tick_without_pause, "runs every 0:00:00"),
    (unknown_type, "name 'Nowhere' is not defined"),
    (no_type_at_all, "this annotation is not a type"),
    (attribute_that_is_not_there, "has no attribute 'Nothing'"),
    (no_function, "is no function"),
    (untyped_parameter, "parameter 'row' has no type"),
    (parameter_with_default, "parameter 'gateway' has a default"),
    (keyword_only, "'gateway' is no plain parameter"),
    (stars, "'rows' is no plain parameter"),
    (union_of_states, "parameter 'row' is a union"),
    (plain_value, "'limit' is int, which nothing can hand in"),
    (second_message, "'other' is Paid, which nothing can hand in"),
    (optional_resource, "'gateway' is Gateway | None, which nothing can hand in"),
    (optional_aggregate, "Order is never None"),
    (any_row, "'row' is any Row"),
    (rows_of_nothing, "'rows' does not say which rows"),
    (rows_of_an_aggregate, "'rows' does not say which rows"),
    (same_state_twice, "takes the same Overview twice"),
    (by_on_a_resource, "By(...) at 'gateway' finds nothing"),
    (misspelt_field, "did you mean 'customer_id'?"),
    (field_that_one_of_two_has, "Placed has no field 'payment_id'"),
    (wrong_key_field, "Placed.customer_id is <class 'str'>, but DayTally is found by <class 'datetime.date'>"),
    (wrong_key, "Placed.order_id is <class 'str'>, but DayTally is found by <class 'datetime.date'>"),
    (wrong_key_function, "makes <class 'datetime.date'>, but Overview is found by <class 'str'>"),
    (key_function_of_another_event, "does not take Paid"),
    (key_function_that_says_nothing, "makes None, but Overview is found by <class 'str'>"),
    (no_key_to_find_by, "Tick has no key to find Overview by"),
    (async_and_blocking, "is async and blocking"),
    (async_transaction, "takes a Transaction and is async"),
    (blocking_transaction, "takes a Transaction and is blocking"),
    (transaction_and_row, "takes a Transaction beside Overview"),
    (transaction_and_returned_row, "takes a Transaction beside Overview"),
    (number, "returns int, which is no effect"),
    (bare_tuple, "returns tuple, which is no effect"),
    (anything, "returns any Event"),
    (any_delete, "returns any Delete"),
    (delete_of_an_aggregate, "deletes Order, which is no row"),
    (later_row, "puts off Overview, which is no message"),
    (aggregate_returned, "returns Order, which is an aggregate"),
    (unfolded_event, "returns Reserved, which Order.apply does not take"),
    (unkept_private_event, "returns Note, which is private, and takes no aggregate to keep it"),
    (broken_promise, "never returns Declined, which Charge promises"),
]


@pytest.mark.parametrize(("program", "sentence"), wrong, ids=[p.__name__ for p, _ in wrong])
def test_a_wrong_program_is_refused_with_a_sentence_and_a_hint(program: Callable[[], None], sentence: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        program()
    assert sentence in str(caught.value)
    assert caught.value.hint


def test_an_error_about_a_handler_says_where_it_is_written() -> None:
    with pytest.raises(DefinitionError) as caught:
        number()
    line = inspect.getsourcelines(number)[1] + 1
    assert f"number.<locals>.hear ({__file__}:{line}) returns int" in str(caught.value)
