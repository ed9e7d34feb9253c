from __future__ import annotations

import warnings
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

import pytest

from tests.domain import trade
from tests.domain.trade import (
    Charge,
    Checkout,
    Confirmed,
    Declined,
    Forget,
    Gateway,
    Order,
    Overview,
    Paid,
    Placed,
    Shelf,
    order_events,
    services,
)
from tidings import (
    By,
    DefinitionError,
    Event,
    Key,
    Retry,
    Rows,
    Service,
    Tick,
    Topic,
    hours,
)
from tidings.domain.program import ELSEWHERE, Group, Program
from tidings.engine import port


def group(program: Program, name: str) -> Group:
    return next(one for one in program.groups if one.name == name)


whole = Program("trade", services)


def test_every_service_and_projection_that_hears_something_is_a_group() -> None:
    assert [one.name for one in whole.groups] == ["ordering", "payments", "checkout", "analytics.overview"]


def test_a_group_reads_the_topics_of_what_it_hears() -> None:
    topics = {one.name: one.topics for one in whole.groups}
    assert topics == {
        "ordering": ("ordering.commands",),
        "payments": ("payments.commands",),
        "checkout": ("order-events", "payment-events"),
        "analytics.overview": ("order-events",),
    }


def test_a_group_has_its_handlers_by_class_in_the_order_written() -> None:
    service = Service("x")

    @service.on
    def first(event: Placed | Confirmed) -> None: ...

    @service.on
    def second(event: Placed) -> None: ...

    mine = group(Program("p", [service]), "x")
    names = {message.__name__: [handler.name for handler in handlers] for message, handlers in mine.handlers.items()}
    assert names == {"Placed": ["first", "second"], "Confirmed": ["first"]}


def test_a_saga_hears_its_start_and_every_outcome() -> None:
    mine = group(whole, "checkout")
    assert mine.sagas == (Checkout,)
    assert mine.heard == (Placed, Paid, Declined)
    assert dict.fromkeys(mine.handlers) == dict.fromkeys([Placed, Paid, Declined])


def test_known_types_of_a_topic_that_a_group_does_not_hear_are_ignored() -> None:
    assert group(whole, "checkout").ignores == {"Confirmed", "Cancelled", "Refunded"}


def test_an_unknown_type_pauses_a_group_only_in_a_closed_topic() -> None:
    class Sealed(Event, topic=Topic("sealed", closed=True)):
        id: Key[str]

    service = Service("x")

    @service.on
    def hear(event: Sealed | Placed) -> None: ...

    assert group(Program("p", [service]), "x").closed == {"sealed"}


def test_commands_travel_in_the_topic_of_their_service() -> None:
    assert whole.command_topic(Charge) == "payments.commands"
    assert whole.topic_of(Charge) == Topic("payments.commands", partitions=8)
    assert whole.topic_of(Placed) == order_events
    with pytest.raises(DefinitionError, match="no service of 'trade' handles Forget"):
        whole.command_topic(Forget)


def test_topics_are_declared_as_an_engine_wants_them() -> None:
    class Kept(Event, topic=Topic("kept", partitions=3, retention=None, retention_bytes=9, compacted=True)):
        id: Key[str]

    service = Service("x")

    @service.on
    def hear(event: Kept | Placed) -> None: ...

    assert Program("p", [service]).port_topics() == (
        port.Topic("kept", 3, None, 9, compact=True),
        port.Topic("order-events", 8, 7 * 86400.0),
    )


def test_tables_and_aggregates_have_one_owner() -> None:
    assert whole.tables[Overview].name == "overview"
    assert whole.aggregates == (Order,)
    assert (whole.owners[Order].name, whole.owners[Overview].name) == ("ordering", "analytics")


def test_a_new_version_of_a_projection_is_built_beside_the_old_one() -> None:
    service = Service("x")
    made = service.projection(Shelf, version=2)

    @made.on
    def hear(event: Placed, shelf: Annotated[Shelf, By("customer_id")]) -> Shelf:
        return shelf

    program = Program("p", [service])
    assert program.groups[0].name == "x.shelves.v2"
    assert program.groups[0].node == "x.shelves"
    assert program.tables[Shelf].name == "shelves_v2"


def test_a_group_behaves_as_its_service_says_and_a_projection_always_exactly_once() -> None:
    since = datetime(2026, 11, 24, tzinfo=UTC)
    service = Service("x", guarantee="at-least-once", retry=Retry(attempts=3), start=since)
    made = service.projection(Overview)

    @service.on
    def hear(event: Placed) -> None: ...

    @made.on
    def fold(event: Placed) -> Overview: ...  # type: ignore[empty-body]

    own, folded = Program("p", [service]).groups
    assert (own.guarantee, own.retry.attempts, own.start) == ("at-least-once", 3, since)
    assert (folded.guarantee, folded.retry.attempts, folded.start) == ("exactly-once", 3, "beginning")


def test_a_service_with_only_a_schedule_has_a_topic_to_keep_its_timers_in() -> None:
    service = Service("x")

    @service.every(hours(1))
    async def count(tick: Tick, rows: Rows[Shelf]) -> None: ...

    mine = group(Program("p", [service]), "x")
    assert mine.topics == ("x.commands",)
    assert [handler.name for handler in mine.ticks] == ["count"]
    assert mine.handlers == {}


# ---- hearing a base class ----


class ParcelEvent(Event, topic=Topic("parcels")):
    parcel_id: Key[str]


class Packed(ParcelEvent):
    pass


class Sent(ParcelEvent):
    pass


class SentFar(Sent, topic=Topic("far-parcels")):
    pass


def test_hearing_a_base_class_is_hearing_all_its_subclasses() -> None:
    service = Service("x")

    @service.on
    def hear(event: ParcelEvent) -> None: ...

    @service.on
    def hear_sent(event: Sent) -> None: ...

    mine = group(Program("p", [service]), "x")
    names = {message.__name__: [handler.name for handler in handlers] for message, handlers in mine.handlers.items()}
    assert names == {
        "ParcelEvent": ["hear"],
        "Packed": ["hear"],
        "Sent": ["hear", "hear_sent"],
        "SentFar": ["hear", "hear_sent"],
    }
    assert mine.topics == ("parcels", "far-parcels")


def test_a_subclass_made_in_a_function_is_known_by_its_signatures_only() -> None:
    class Local(ParcelEvent):
        pass

    teller, hearer = Service("teller"), Service("hearer")

    @hearer.on
    def hear(event: ParcelEvent) -> None: ...

    assert "Local" not in Program("p", [hearer]).registry

    @teller.on
    def tell(event: Placed) -> Local: ...  # type: ignore[empty-body]

    assert Local in group(Program("p", [teller, hearer]), "hearer").handlers


def test_hearing_a_command_is_not_hearing_those_derived_from_it() -> None:
    class Hasten(Forget):
        pass

    service = Service("x")

    @service.command
    def forget(command: Forget) -> None: ...

    @service.on
    def hear(event: Placed) -> Hasten: ...  # type: ignore[empty-body]

    mine = group(Program("p", [service], partial=True), "x")
    assert list(mine.handlers) == [Placed, Forget] or list(mine.handlers) == [Forget, Placed]
    assert ELSEWHERE not in mine.topics


# ---- parts of a program, and resources ----


def test_a_part_of_a_program_may_ask_what_nobody_in_it_does() -> None:
    part = Program("trade", [trade.checkout], partial=True)
    assert part.command_topic(Charge) == ELSEWHERE
    assert ELSEWHERE in part.topics
    with pytest.raises(DefinitionError):
        Program("trade", [trade.checkout])


def test_a_resource_is_found_in_whichever_service_makes_it() -> None:
    found = whole.resource(trade.ordering, Gateway)
    assert found is not None and found.function is trade.bank
    assert whole.resource(trade.ordering, Decimal) is None


def test_programs_share_services_without_a_registry() -> None:
    other = Program("other", [trade.ordering, trade.payments])
    assert other.services[0] is whole.services[0]
    assert [one.name for one in other.groups] == ["ordering", "payments"]


def test_messages_are_known_by_their_names() -> None:
    assert whole.registry["Placed"] is Placed
    assert set(whole.registry) == {
        *("Place", "Confirm", "Cancel", "Charge", "Refund"),
        *("Placed", "Confirmed", "Cancelled", "Paid", "Declined", "Refunded"),
    }


def test_a_service_may_keep_rows_beside_its_projections() -> None:
    service = Service("x")
    service.projection(Overview)

    @service.on
    def hear(event: Placed) -> Shelf: ...  # type: ignore[empty-body]

    assert set(Program("p", [service]).tables) == {Overview, Shelf}


def test_an_event_without_a_key_is_known_too() -> None:
    class Counted(Event, topic=Topic("counts"), unordered=True):
        photos: int

    service = Service("x")

    @service.on
    def hear(event: Counted) -> None: ...

    assert Program("p", [service]).registry["Counted"] is Counted


def test_services_and_projections_show_their_names() -> None:
    assert (repr(trade.ordering), repr(trade.overview)) == ("Service('ordering')", "Projection('analytics.overview')")


def test_names_that_kafka_confuses_are_warned_of() -> None:
    class Dotted(Event, topic=Topic("a.b")):
        id: Key[str]

    class Lined(Event, topic=Topic("a_b")):
        id: Key[str]

    service = Service("x")

    @service.on
    def hear(event: Dotted | Lined) -> None: ...

    with pytest.warns(UserWarning, match=r"topics 'a.b' and 'a_b' differ only in"):
        Program("p", [service])
    with warnings.catch_warnings(action="error"):
        Program("trade", services)
