from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings import DefinitionError, Event, Key, Poison, Topic
from tidings.event.codec import Codec
from tidings.event.registry import Registry

orders = Topic("orders")


class Line(msgspec.Struct, frozen=True):
    product_id: str
    quantity: int
    price: Decimal


class Everything(Event, topic=orders):
    order_id: Key[str]
    number: int
    ratio: float
    flag: bool
    money: Decimal
    moment: datetime
    day: date
    span: timedelta
    id: UUID
    raw: bytes
    lines: tuple[Line, ...]
    counts: dict[int, int]
    note: str | None = None


numbers = st.integers(-(2**63), 2**64 - 1)
money = st.decimals(allow_nan=False, allow_infinity=False)
lines = st.lists(st.builds(Line, st.text(), numbers, money), max_size=3).map(tuple)
everything = st.builds(
    Everything,
    order_id=st.text(),
    number=numbers,
    ratio=st.floats(allow_nan=False, allow_infinity=False),
    flag=st.booleans(),
    money=money,
    moment=st.datetimes(timezones=st.just(UTC)),
    day=st.dates(),
    span=st.timedeltas(timedelta(days=-10_000), timedelta(days=10_000)),
    id=st.uuids(),
    raw=st.binary(),
    lines=lines,
    counts=st.dictionaries(st.integers(-(2**53), 2**53), st.integers(0, 9), max_size=3),
    note=st.none() | st.text(),
)
codec = Codec(Everything)


@given(everything)
def test_a_message_is_written_and_read_back_exactly(message: Everything) -> None:
    read = codec.decode(1, codec.encode(message))
    assert read == message
    assert str(read.money) == str(message.money)


def test_a_body_is_json_that_anyone_can_read() -> None:
    class Paid(Event, topic=orders):
        order_id: Key[str]
        amount: Decimal
        at: datetime

    body = Codec(Paid).encode(Paid(order_id="o-1", amount=Decimal("1.50"), at=datetime(2026, 11, 24, tzinfo=UTC)))
    assert body == b'{"order_id":"o-1","amount":"1.50","at":"2026-11-24T00:00:00Z"}'


@given(st.binary(max_size=100))
def test_bytes_that_are_no_message_are_poison(data: bytes) -> None:
    with pytest.raises(Poison, match="Everything version 1 cannot be read"):
        codec.decode(1, data)


def test_poison_says_which_field_of_which_version() -> None:
    class Paid(Event, topic=orders):
        order_id: Key[str]
        lines: tuple[Line, ...]

    with pytest.raises(Poison) as caught:
        Codec(Paid).decode(1, b'{"order_id":"o","lines":[{"product_id":"p","quantity":"many","price":"1"}]}')
    assert "Paid version 1 cannot be read: Expected `int`, got `str` - at `$.lines[0].quantity`" in str(caught.value)
    assert caught.value.hint
    assert isinstance(caught.value.__cause__, msgspec.ValidationError)


def test_a_message_without_a_body_is_poison() -> None:
    with pytest.raises(Poison, match="it has no body"):
        codec.decode(1, None)


def test_json_without_end_is_poison() -> None:
    class Any_(Event, topic=orders, unordered=True):  # noqa: N801
        what: Any

    with pytest.raises(Poison, match="cannot be read"):
        Codec(Any_).decode(1, b'{"what":' + b"[" * 100_000)


def test_fields_that_are_not_known_yet_are_passed_over() -> None:
    class Paid(Event, topic=orders):
        order_id: Key[str]

    assert Codec(Paid).decode(1, b'{"order_id":"o","since":"version 1.1"}') == Paid(order_id="o")


def test_a_value_that_json_cannot_hold_is_poison_before_it_is_written() -> None:
    class Noted(Event, topic=orders):
        order_id: Key[str]
        what: Any

    with pytest.raises(Poison, match="Noted version 1 cannot be written"):
        Codec(Noted).encode(Noted(order_id="o", what=object()))


def test_a_field_that_json_cannot_hold_is_refused_before_anything_is_written() -> None:
    class Noted(Event, topic=orders):
        order_id: Key[str]
        what: int | str | dict[str, int] | Line | Everything

    with pytest.raises(DefinitionError, match="Noted"):
        Codec(Noted)


# ---- versions ----


def with_currency(old: dict[str, Any]) -> dict[str, Any]:
    return old | {"currency": "EUR"}


def with_exact_total(old: dict[str, Any]) -> dict[str, Any]:
    cents = old.pop("total")
    return {**old, "total": Decimal(cents) / 100, "placed_at": datetime(2020, 1, 1, tzinfo=UTC)}


class Placed(Event, topic=orders, version=3, upcasts={1: with_currency, 2: with_exact_total}):
    order_id: Key[str]
    total: Decimal
    currency: str
    placed_at: datetime


placed = Codec(Placed)


def test_i15_every_old_version_is_read_as_the_newest() -> None:
    first = b'{"order_id":"o","total":1250}'
    second = b'{"order_id":"o","total":1250,"currency":"EUR"}'
    third = placed.decode(1, first)
    assert third == placed.decode(2, second) == placed.decode(3, placed.encode(third))
    assert third == Placed(
        order_id="o", total=Decimal("12.5"), currency="EUR", placed_at=datetime(2020, 1, 1, tzinfo=UTC)
    )


class Counted1(Event, topic=orders, name="Counted"):
    key: Key[str]
    value: int


class Counted2(Event, topic=orders, name="Counted", version=2, upcasts={1: lambda old: {**old, "unit": "piece"}}):
    key: Key[str]
    value: int
    unit: str


class Counted3(
    Event,
    topic=orders,
    name="Counted",
    version=3,
    upcasts={
        1: lambda old: {**old, "unit": "piece"},
        2: lambda old: {"key": old["key"], "by": {old["unit"]: old["value"]}},
    },
):
    key: Key[str]
    by: dict[str, int]


@given(st.text(), st.integers(-(2**53), 2**53))
def test_i15_a_chain_equals_its_steps_taken_one_by_one(key: str, value: int) -> None:
    written = Codec(Counted1).encode(Counted1(key=key, value=value))
    by_steps = Codec(Counted2).decode(1, written)
    at_once = Codec(Counted3).decode(1, written)
    assert at_once == Codec(Counted3).decode(2, Codec(Counted2).encode(by_steps))
    assert at_once == Counted3(key=key, by={"piece": value})


def test_an_upcast_body_may_have_numbers_for_keys() -> None:
    class Histogram(Event, topic=orders, version=2, upcasts={1: dict}):
        key: Key[str]
        counts: dict[int, int]

    assert Codec(Histogram).decode(1, b'{"key":"a","counts":{"3":4}}').counts == {3: 4}


def test_a_newer_version_is_not_guessed_at() -> None:
    with pytest.raises(Poison, match="version 4 is newer than version 3") as caught:
        placed.decode(4, b"{}")
    assert "deploy" in caught.value.hint


@pytest.mark.parametrize(
    ("version", "body", "sentence"),
    [
        (1, b"{}", "the upcast of Placed from version 2 raised KeyError"),
        (1, b"[1]", "Placed version 1 is no JSON object, but list"),
        (1, b"{", "Placed version 1 cannot be read"),
        (2, b'{"order_id":7,"total":1,"currency":"EUR"}', "Expected `str`, got `int` - at `$.order_id`"),
    ],
)
def test_an_old_body_that_cannot_be_read_is_poison(version: int, body: bytes, sentence: str) -> None:
    with pytest.raises(Poison) as caught:
        placed.decode(version, body)
    assert sentence in str(caught.value)


def test_an_upcast_that_returns_nothing_is_poison() -> None:
    class Broken(Event, topic=orders, version=2, upcasts={1: lambda old: None}):
        order_id: Key[str]

    with pytest.raises(Poison, match="the upcast of Broken to version 2 returned NoneType"):
        Codec(Broken).decode(1, b'{"order_id":"o"}')


# ---- names ----


def test_a_registry_knows_classes_by_their_names() -> None:
    registry = Registry([Placed, Everything, Placed])
    assert dict(registry) == {"Placed": Placed, "Everything": Everything}
    assert len(registry) == 2


def test_two_classes_of_one_name_are_refused() -> None:
    with pytest.raises(DefinitionError, match="two messages are called 'Counted'"):
        Registry([Counted1, Counted2])
