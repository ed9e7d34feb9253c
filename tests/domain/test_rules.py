"""Services that do not fit together, and the sentence that each gets."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.domain import trade
from tests.domain.trade import (
    Charge,
    Confirmed,
    Declined,
    Forget,
    Gateway,
    Note,
    Order,
    Overview,
    Paid,
    Placed,
    Shelf,
    services,
)
from tidings import (
    Cancel,
    Command,
    DefinitionError,
    Event,
    Key,
    Later,
    Row,
    Rows,
    Saga,
    Service,
    Topic,
    days,
    step,
)
from tidings.domain.program import Program


def same_name() -> None:
    Program("p", [Service("a"), Service("a")])


def same_group() -> None:
    service, other = Service("a"), Service("a.overview")
    service.projection(Overview)
    Program("p", [service, other])


def same_group_of_two_projections() -> None:
    one, other = Service("a"), Service("a.b")
    one.projection(Overview, name="b.c")
    other.projection(Shelf, name="c")
    Program("p", [one, other])


def two_aggregates_of_one_name() -> None:
    class Mine(Order, name="order"):
        pass

    class Yours(Order, name="ORDER"):
        pass

    service = Service("x")

    @service.command
    def forget(command: Forget, mine: Mine, yours: Yours) -> None: ...

    Program("p", [service])


def nobody_answers() -> None:
    Program("p", [trade.checkout])


def nobody_to_call_off() -> None:
    service = Service("x")

    @service.on
    def hear(event: Placed) -> Cancel[Forget]: ...  # type: ignore[empty-body]

    Program("p", [service])


def nobody_does_it_later() -> None:
    service = Service("x")

    @service.on
    def hear(event: Placed) -> Later[Forget]:
        return Later(Forget(order_id="o"), after=days(1))

    Program("p", [service])


def two_handlers() -> None:
    other = Service("other")

    @other.command
    def charge(command: Charge) -> Paid | Declined: ...  # type: ignore[empty-body]

    Program("p", [trade.payments, other])


def two_owners() -> None:
    other = Service("other")

    @other.on
    def write(event: Placed) -> Overview: ...  # type: ignore[empty-body]

    Program("p", [*services, other])


def two_owners_of_an_aggregate() -> None:
    other = Service("other")

    @other.on
    def look(event: Confirmed, order: Order) -> None: ...

    Program("p", [*services, other])


def two_rows_of_one_table() -> None:
    class Mine(Row, table="SHELVES"):
        id: Key[str]

    service = Service("x")

    @service.on
    def hear(event: Placed, rows: Rows[Shelf]) -> Mine: ...  # type: ignore[empty-body]

    Program("p", [service])


def two_folds_of_one_row() -> None:
    service = Service("x")
    service.projection(Shelf)
    service.projection(Shelf, name="again")
    Program("p", [service])


def projected_row_written_by_its_service() -> None:
    service = Service("x")
    service.projection(Overview)

    @service.on
    def hear(event: Placed) -> Overview: ...  # type: ignore[empty-body]

    Program("p", [service])


def no_resource() -> None:
    poor = Service("poor")

    @poor.on
    def hear(event: Placed, gateway: Gateway) -> None: ...

    Program("p", [poor])


def resource_made_twice() -> None:
    other = Service("other")

    @other.resource
    def bank() -> Gateway: ...  # type: ignore[empty-body]

    Program("p", [*services, other])


def resource_of_one_service_asked_for_by_another() -> None:
    asking, making = Service("asking"), Service("making")

    @asking.on
    def hear(event: Placed, gateway: Gateway, number: Decimal) -> None: ...

    @making.resource
    def bank() -> Gateway: ...  # type: ignore[empty-body]

    Program("p", [asking, making])


def two_messages_of_a_name() -> None:
    class Other(Event, topic=Topic("others"), name="Placed"):
        id: Key[str]

    service = Service("x")

    @service.on
    def hear(event: Other | Placed) -> None: ...

    Program("p", [service])


def topic_declared_twice() -> None:
    class Other(Event, topic=Topic("order-events", partitions=3)):
        id: Key[str]

    service = Service("x")

    @service.on
    def hear(event: Other | Placed) -> None: ...

    Program("p", [service])


def topic_of_commands() -> None:
    class Other(Event, topic=Topic("x.commands")):
        id: Key[str]

    service = Service("x")

    @service.on
    def hear(event: Other) -> None: ...

    Program("p", [service])


def key_of_floats() -> None:
    class Measured(Event, topic=Topic("measures")):
        value: Key[float]

    service = Service("x")

    @service.on
    def hear(event: Measured) -> None: ...

    Program("p", [service])


def saga_step_without_outcome() -> None:
    service = Service("x")

    @service.saga
    class Forgetful(Saga[Placed]):
        @step
        def forget(self) -> Forget: ...  # type: ignore[empty-body]

    @service.command
    def forget(command: Forget) -> None: ...

    Program("p", [service])


def saga_step_with_a_private_outcome() -> None:
    class Whisper(Command[Note]):
        order_id: Key[str]

    service = Service("x")

    @service.saga
    class Secret(Saga[Placed]):
        @step
        def whisper(self) -> Whisper: ...  # type: ignore[empty-body]

    Program("p", [service], partial=True)


def two_sagas_of_a_name() -> None:
    service = Service("x")

    def more() -> None:
        @service.saga
        class Twin(Saga[Placed]):
            @step
            def pay(self) -> Charge: ...  # type: ignore[empty-body]

    more()
    more()
    Program("p", [service], partial=True)


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        (same_name, "two services are called 'a'"),
        (same_group, "two groups are called 'a.overview'"),
        (same_group_of_two_projections, "two groups are called 'a.b.c'"),
        (two_aggregates_of_one_name, "hint: give one of them a name="),
        (nobody_answers, "checkout sends Charge, which no service handles"),
        (nobody_to_call_off, "x sends Forget, which no service handles"),
        (nobody_does_it_later, "x sends Forget, which no service handles"),
        (two_handlers, "Charge has two handlers"),
        (two_owners, "Overview is used by 'analytics' and 'other'\n  hint: a table"),
        (two_owners_of_an_aggregate, "Order is used by 'ordering' and 'other'\n  hint: an aggregate"),
        (two_rows_of_one_table, "are both kept in 'SHELVES'\n  hint: give one of them a table="),
        (two_folds_of_one_row, "Shelf is folded by 'x.shelves' and 'x.again'"),
        (projected_row_written_by_its_service, "writes Overview, which 'x.overview' folds"),
        (no_resource, "needs Gateway, which nothing makes"),
        (resource_of_one_service_asked_for_by_another, "needs Decimal, which nothing makes"),
        (resource_made_twice, "Gateway is made twice"),
        (two_messages_of_a_name, "two messages are called 'Placed'"),
        (topic_declared_twice, "topic 'order-events' is declared in two ways"),
        (topic_of_commands, "topic 'x.commands' is where 'x' is asked and answered"),
        (key_of_floats, "Measured.value cannot be a key"),
        (saga_step_without_outcome, "Forgetful.forget: Forget declares no outcome"),
        (saga_step_with_a_private_outcome, "Secret.whisper: Note is private"),
        (two_sagas_of_a_name, "two sagas of 'x' are called Twin"),
    ],
)
def test_services_that_do_not_fit_together_are_refused(program: Callable[[], None], sentence: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        program()
    assert sentence in str(caught.value)
    assert caught.value.hint
