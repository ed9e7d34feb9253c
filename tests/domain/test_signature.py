"""What is read from the signature of a right handler."""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, TypeAlias

from typing_extensions import TypeAliasType

from tests.domain import trade
from tests.domain.trade import (
    Cancelled,
    Charge,
    Confirmed,
    DayTally,
    Forget,
    Gateway,
    Order,
    Overview,
    Paid,
    Placed,
    Shelf,
    day_of,
    order_events,
)
from tidings import (
    Aggregate,
    By,
    Cancel,
    Delete,
    Delivery,
    Event,
    Key,
    Later,
    Retry,
    Row,
    Rows,
    Service,
    Tick,
    Transaction,
    hours,
)
from tidings.domain.signature import Handler, Param


class Account(Aggregate):
    balance: int = 0

    def apply(self, event: Paid) -> None:
        self.balance += 1


def read(function: Any, **options: Any) -> Handler:
    service = Service("x")
    service.on(**options)(function)
    return service.handlers[0]


def test_a_decorated_handler_is_still_the_function() -> None:
    assert trade.confirm(trade.Confirm(order_id="o"), Order()) == Confirmed(order_id="o")


def test_parameters_are_found_by_their_types() -> None:
    async def hear(
        event: Placed,
        gateway: Gateway,
        row: Overview | None,
        tally: Annotated[DayTally, By(day_of)],
        shelves: Rows[Shelf],
        other: Annotated[Overview, By("customer_id")],
        cache: Mapping[str, int],
        delivery: Delivery,
    ) -> None: ...

    handler = read(hear)
    assert handler.params == (
        Param("gateway", "resource", Gateway),
        Param("row", "state", Overview, optional=True),
        Param("tally", "state", DayTally, by=By(day_of)),
        Param("shelves", "rows", Shelf),
        Param("other", "state", Overview, by=By("customer_id")),
        Param("cache", "resource", Mapping[str, int]),
        Param("delivery", "delivery", Delivery),
    )
    assert handler.states == (Overview, DayTally, Shelf)
    assert handler.resources == (Gateway, Mapping[str, int])
    assert handler.is_async and not handler.transactional and not handler.blocking
    event = Placed(order_id="o", customer_id="ada", placed_at=datetime(2026, 11, 24, tzinfo=UTC))
    found = [param.find(event) for param in handler.params if param.kind == "state"]
    assert found == ["o", date(2026, 11, 24), "ada"]


def test_effects_are_found_wherever_they_stand() -> None:
    Many: TypeAlias = tuple[Overview, Delete[Shelf]] | list[Annotated[Charge, "x"]]
    Others: TypeAlias = Generator[Later[Forget], None, None]

    def hear(event: Placed) -> Iterator[Many | Cancel[Charge] | None] | Others: ...  # type: ignore[empty-body]

    handler = read(hear)
    assert handler.emits == (Overview, Charge, Forget)
    assert handler.deletes == (Shelf,)
    assert handler.cancels == (Charge,)
    assert handler.tells == (Charge, Forget)
    assert handler.writes == (Overview, Shelf)


Ended = TypeAliasType("Ended", Confirmed | Cancelled)


def test_an_alias_is_what_it_stands_for() -> None:
    def hear(event: Ended) -> None: ...

    assert read(hear).hears == (Confirmed, Cancelled)


def test_a_plain_def_that_gives_an_awaitable_is_async() -> None:
    def hear(event: Placed) -> Awaitable[Iterable[Overview]]: ...  # type: ignore[empty-body]

    handler = read(hear)
    assert handler.is_async and handler.emits == (Overview,)


def test_a_handler_may_have_its_own_retry_and_thread() -> None:
    def hear(event: Placed) -> None: ...

    handler = read(hear, retry=Retry(attempts=3), blocking=True)
    assert (handler.retry, handler.blocking, handler.is_async) == (Retry(attempts=3), True, False)


def test_a_transactional_handler_may_tell_events() -> None:
    def hear(event: Placed, tx: Transaction) -> Paid: ...  # type: ignore[empty-body]

    assert read(hear).transactional


def test_a_command_may_emit_more_than_it_promises_and_two_aggregates_share_the_events() -> None:
    def forget(command: Forget, order: Order, account: Account) -> tuple[Paid, Cancelled]: ...  # type: ignore[empty-body]

    service = Service("x")
    service.command(forget)
    assert service.handlers[0].aggregates == (Order, Account)


def test_a_key_may_be_found_by_a_type_derived_from_its_own() -> None:
    class Sku(str): ...  # noqa: SLOT000

    class Counted(Event, topic=order_events):
        sku: Key[Sku]

    class Stock(Row):
        sku: Key[str]

    class Priced(Row):
        sku: Key[Sku]

    def narrow(event: Counted, stock: Stock) -> None: ...

    def wide(event: Placed, priced: Priced) -> None: ...

    assert read(narrow).states == (Stock,)
    assert read(wide).states == (Priced,)


def test_a_fold_of_a_base_class_takes_what_is_derived_from_it_and_the_other_way_round() -> None:
    class Any_(Aggregate):  # noqa: N801
        def apply(self, event: trade.OrderEvent) -> None: ...

    def one(command: Forget, state: Any_) -> Cancelled: ...  # type: ignore[empty-body]

    def other(command: Forget, order: Order) -> trade.OrderEvent: ...  # type: ignore[empty-body]

    service = Service("x")
    service.command(one)
    service.command(other)
    assert [handler.tells for handler in service.handlers] == [(Cancelled,), (trade.OrderEvent,)]


def test_a_scheduled_handler_knows_its_interval() -> None:
    service = Service("x")

    @service.every(hours(24))
    async def count(tick: Tick, rows: Rows[Overview]) -> None: ...

    assert service.handlers[0].every == timedelta(days=1)
    assert service.handlers[0].hears == (Tick,)


def test_local_types_are_found_where_the_handler_is_written() -> None:
    class Local(Event, topic=order_events):
        order_id: Key[str]

    class Kept(Row):
        order_id: Key[str]

    def hear(event: Local, row: Kept) -> Kept:
        return row

    handler = read(hear)
    assert (handler.hears, handler.states, handler.emits) == ((Local,), (Kept,), (Kept,))
