"""Services, projections, resources and retries: what is refused at import, what is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from typing import Annotated, Any

import pytest

from tests.domain import trade
from tests.domain.trade import (
    Charge,
    DayTally,
    Forget,
    Gateway,
    Order,
    Overview,
    Paid,
    Placed,
    Shelf,
)
from tidings import (
    By,
    Cancel,
    DefinitionError,
    Retry,
    Row,
    Rows,
    Service,
    Transaction,
    seconds,
)


def on(function: Any, **options: Any) -> None:
    Service("x", **options).on(function)


def project(function: Any, *rows: type[Row]) -> None:
    Service("x").projection(*(rows or (Overview,))).on(function)


# ---- projections and services ----


def effect_from_projection() -> None:
    def hear(event: Placed) -> tuple[Overview, Charge]: ...  # type: ignore[empty-body]

    project(hear)


def cancel_from_projection() -> None:
    def hear(event: Placed) -> Overview | Cancel[Forget]: ...  # type: ignore[empty-body]

    project(hear)


def projection_that_writes_nothing() -> None:
    def hear(event: Placed, row: Overview) -> None: ...

    project(hear)


def projection_of_an_aggregate() -> None:
    def hear(event: Placed, order: Order) -> Overview: ...  # type: ignore[empty-body]

    project(hear)


def foreign_row() -> None:
    def hear(event: Placed) -> DayTally: ...  # type: ignore[empty-body]

    project(hear)


def foreign_row_read() -> None:
    def hear(event: Placed, shelf: Annotated[Shelf, By("customer_id")]) -> Overview: ...  # type: ignore[empty-body]

    project(hear)


def empty_projection() -> None:
    Service("x").projection()


def projection_version_zero() -> None:
    Service("x").projection(Overview, version=0)


def two_projections_of_a_name() -> None:
    service = Service("x")
    service.projection(ddl="create table a (b text)")
    service.projection(ddl="create table c (d text)")


def lossy_effect() -> None:
    def hear(event: Placed) -> Paid: ...  # type: ignore[empty-body]

    on(hear, guarantee="at-most-once")


def lossy_state() -> None:
    def hear(event: Placed, rows: Rows[Overview]) -> None: ...

    on(hear, guarantee="at-most-once")


def lossy_transaction() -> None:
    def hear(event: Placed, tx: Transaction) -> None: ...

    on(hear, guarantee="at-most-once")


def lossy_saga() -> None:
    Service("x", guarantee="at-most-once").saga(trade.Checkout)


def no_saga() -> None:
    Service("x").saga(Order)  # type: ignore[type-var]


def saga_twice() -> None:
    service = Service("x")
    service.saga(trade.Checkout)
    service.saga(trade.Checkout)


def same_handler_name() -> None:
    service = Service("x")

    def hear(event: Placed) -> None: ...

    service.on(hear)
    service.on(hear)


def service_name() -> None:
    Service("my service")


def unknown_guarantee() -> None:
    Service("x", guarantee="perhaps")  # type: ignore[arg-type]


def unknown_start() -> None:
    Service("x", start="middle")  # type: ignore[arg-type]


def start_without_zone() -> None:
    Service("x", start=datetime(2026, 11, 24))  # noqa: DTZ001


# ---- resources ----


def resource_of_nothing() -> None:
    def make(): ...  # type: ignore[no-untyped-def]  # noqa: ANN202

    Service("x").resource(make)


def resource_of_none() -> None:
    def make() -> None: ...

    Service("x").resource(make)


def resource_that_needs_something() -> None:
    def make(url: str) -> Gateway: ...  # type: ignore[empty-body]

    Service("x").resource(make)


def resource_that_yields_unsaid() -> None:
    def make() -> Gateway:  # type: ignore[misc]
        yield trade.Bank()

    Service("x").resource(make)


def resource_twice() -> None:
    service = Service("x")

    def one() -> Gateway: ...  # type: ignore[empty-body]
    def other() -> Gateway: ...  # type: ignore[empty-body]

    service.resource(one)
    service.resource(other)


# ---- retries ----


def no_attempt() -> None:
    Retry(attempts=0)


def shrinking() -> None:
    Retry(factor=0.5)


def wait_without_unit() -> None:
    Retry(first=0.5)  # type: ignore[arg-type]


def longest_is_shorter() -> None:
    Retry(first=seconds(10), longest=seconds(1))


def retry_on_text() -> None:
    Retry(on=("TimeoutError",))  # type: ignore[arg-type]


def then_what() -> None:
    Retry(then="skip")  # type: ignore[arg-type]


wrong: list[tuple[Callable[[], None], str]] = [
    (effect_from_projection, "is a projection and returns Charge"),
    (cancel_from_projection, "is a projection and returns Forget"),
    (projection_that_writes_nothing, "writes no row"),
    (projection_of_an_aggregate, "is a projection and takes Order"),
    (foreign_row, "does not own DayTally"),
    (foreign_row_read, "does not own Shelf"),
    (empty_projection, "a projection needs rows or ddl"),
    (projection_version_zero, "is version 0"),
    (two_projections_of_a_name, "two projections are called 'x.sql'"),
    (lossy_effect, "is at-most-once"),
    (lossy_state, "is at-most-once"),
    (lossy_transaction, "is at-most-once"),
    (lossy_saga, "which is at-most-once"),
    (no_saga, "is no saga"),
    (saga_twice, "saga Checkout is in 'x' already"),
    (same_handler_name, "'x' has two handlers called 'hear'"),
    (service_name, "service name 'my service' is not allowed"),
    (unknown_guarantee, "'perhaps' is no guarantee"),
    (unknown_start, "a group cannot start at 'middle'"),
    (start_without_zone, "has no time zone"),
    (resource_of_nothing, "does not say what it makes"),
    (resource_of_none, "does not say what it makes"),
    (resource_that_needs_something, "is a resource and takes parameters"),
    (resource_that_yields_unsaid, "yields but is annotated Gateway"),
    (resource_twice, "makes Gateway already"),
    (no_attempt, "Retry(attempts=0) makes no sense"),
    (shrinking, "Retry(factor=0.5) makes no sense"),
    (wait_without_unit, "Retry(first=0.5) is no duration"),
    (longest_is_shorter, "makes no sense"),
    (retry_on_text, "Retry(on=...) names 'TimeoutError'"),
    (then_what, "Retry(then='skip') makes no sense"),
]


@pytest.mark.parametrize(("program", "sentence"), wrong, ids=[p.__name__ for p, _ in wrong])
def test_a_wrong_program_is_refused_with_a_sentence_and_a_hint(program: Callable[[], None], sentence: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        program()
    assert sentence in str(caught.value)
    assert caught.value.hint or program is saga_twice


def test_a_handler_that_was_refused_is_not_kept() -> None:
    service = Service("x")
    projection = service.projection(Overview)

    def hear(event: Placed) -> DayTally: ...  # type: ignore[empty-body]

    with pytest.raises(DefinitionError):
        projection.on(hear)
    assert projection.handlers == []


def test_a_resource_is_made_in_four_ways() -> None:
    service = Service("x")

    class One: ...

    class Two: ...

    class Three: ...

    class Four: ...

    @service.resource
    def one() -> One:
        return One()

    @service.resource
    async def two() -> Two:
        return Two()

    @service.resource
    def three() -> Iterator[Three]:
        yield Three()

    @service.resource
    async def four() -> AsyncIterator[Four]:
        yield Four()

    ways = {made.name: made.way for made in service.resources.values()}
    assert ways == {"One": "value", "Two": "awaited", "Three": "iterator", "Four": "async iterator"}
