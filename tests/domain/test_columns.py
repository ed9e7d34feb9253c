from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, NewType
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings import DefinitionError, Key, Poison, Row
from tidings.domain.columns import from_values, key_text, table_of, to_values
from tidings.engine.port import Table

Name = NewType("Name", str)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    SMALL = 1
    BIG = 2


class Line(msgspec.Struct, frozen=True):
    product_id: str
    price: Decimal
    at: datetime | None = None


class Everything(Row, table="all_kinds"):
    number: int
    ratio: float
    flag: bool
    raw: bytes
    money: Decimal
    moment: datetime
    day: date
    clock: time
    span: timedelta
    id: UUID
    text: Key[str]
    colour: Colour
    size: Size
    word: Literal["a", "b"]
    digit: Literal[1, 2]
    either: int | str
    lines: tuple[Line, ...]
    counts: dict[str, int]
    whatever: Any
    name: Name
    short: Annotated[str, msgspec.Meta(max_length=5)]
    maybe_number: int | None = None
    maybe_money: Decimal | None = None
    maybe_flag: bool | None = None
    maybe_line: Line | None = None


numbers = st.integers(-(2**63), 2**63 - 1)
texts = st.text()
money = st.decimals(allow_nan=False, allow_infinity=False)
zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-8))])
moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=zones)  # noqa: DTZ001
made_lines = st.builds(Line, texts, money, st.none() | moments)
plain: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
everything = st.builds(
    Everything,
    number=numbers,
    ratio=st.floats(allow_nan=False),
    flag=st.booleans(),
    raw=st.binary(),
    money=money,
    moment=moments,
    day=st.dates(),
    clock=st.times(),
    span=st.timedeltas(timedelta(days=-10_000), timedelta(days=10_000)),
    id=st.uuids(),
    text=texts,
    colour=st.sampled_from(Colour),
    size=st.sampled_from(Size),
    word=st.sampled_from(["a", "b"]),
    digit=st.sampled_from([1, 2]),
    either=numbers | texts,
    lines=st.lists(made_lines, max_size=2).map(tuple),
    counts=st.dictionaries(texts, numbers, max_size=2),
    whatever=plain,
    name=texts,
    short=st.text(max_size=5),
    maybe_number=st.none() | numbers,
    maybe_money=st.none() | money,
    maybe_flag=st.none() | st.booleans(),
    maybe_line=st.none() | made_lines,
)


def test_a_field_is_a_column_and_the_key_comes_first() -> None:
    assert table_of(Everything) == Table(
        "all_kinds",
        (
            ("text", "text"),
            ("number", "integer"),
            ("ratio", "real"),
            ("flag", "boolean"),
            ("raw", "blob"),
            ("money", "numeric"),
            ("moment", "timestamp"),
            ("day", "text"),
            ("clock", "text"),
            ("span", "text"),
            ("id", "text"),
            ("colour", "text"),
            ("size", "integer"),
            ("word", "text"),
            ("digit", "integer"),
            ("either", "json"),
            ("lines", "json"),
            ("counts", "json"),
            ("whatever", "json"),
            ("name", "text"),
            ("short", "text"),
            ("maybe_number", "integer"),
            ("maybe_money", "numeric"),
            ("maybe_flag", "boolean"),
            ("maybe_line", "json"),
        ),
    )


@given(everything)
def test_a_row_goes_into_its_columns_and_comes_back(row: Everything) -> None:
    values = to_values(row)
    assert from_values(Everything, values) == row
    assert to_values(from_values(Everything, values)) == values
    assert {type(value) for value in values} <= {str, int, float, bytes, type(None)}


def value_of(row: Row, column: str) -> object:
    names = [name for name, _ in table_of(type(row)).columns]
    return dict(zip(names, to_values(row), strict=True))[column]


class Priced(Row):
    amount: Key[Decimal]
    other: Decimal = Decimal(0)
    at: datetime | None = None
    flag: bool = False


def test_numbers_are_kept_digit_by_digit() -> None:
    row = Priced(amount=Decimal(1), other=Decimal("12345678901234567890.12345678901234567890"))
    assert value_of(row, "other") == "12345678901234567890.12345678901234567890"
    assert str(from_values(Priced, to_values(Priced(amount=Decimal(1), other=Decimal("1.50")))).other) == "1.50"


def test_equal_keys_are_one_row() -> None:
    assert value_of(Priced(amount=Decimal("1.50")), "amount") == key_text(Decimal("1.5")) == "1.5"


@given(moments, moments)
def test_moments_sort_as_text_whatever_their_zones(one: datetime, other: datetime) -> None:
    texts_ = [value_of(Priced(amount=Decimal(1), at=at), "at") for at in (one, other)]
    assert (texts_[0] < texts_[1]) == (one < other)  # type: ignore[operator]


@pytest.mark.parametrize(
    "text", ["2026-11-24T12:00:00+00:00", "2026-11-24T12:00:00Z", "2026-11-24 12:00:00+00", "2026-11-24 14:00:00+02"]
)
def test_a_moment_is_read_however_a_database_writes_it(text: str) -> None:
    assert from_values(Priced, ["1", "0", text, 0]).at == datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_values_that_a_driver_has_converted_already_are_taken() -> None:
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    row = from_values(Priced, [Decimal("1.5"), 2, noon, True])  # type: ignore[list-item]
    assert row == Priced(amount=Decimal("1.5"), other=Decimal(2), at=noon, flag=True)


def test_a_whole_number_in_a_column_of_floats_is_a_float() -> None:
    class Measured(Row):
        id: Key[int]
        value: float

    assert type(from_values(Measured, [1, 2]).value) is float


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (Priced(amount=Decimal(1), at=datetime(2026, 11, 24)), "Priced.at cannot be written: 2026-11-24T00:00:00"),  # noqa: DTZ001
        (Priced(amount=Decimal("NaN")), "Priced.amount cannot be written"),
        (Priced(amount=Decimal(1), at="noon"), "Priced.at cannot be written"),  # type: ignore[arg-type]
    ],
)
def test_a_value_that_does_not_fit_its_field_is_poison(row: Priced, sentence: str) -> None:
    with pytest.raises(Poison) as caught:
        to_values(row)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (["1", "many", None, 0], "priced.other cannot be read"),
        (["1", "0", "noon", 0], "priced.at cannot be read"),
        (["1", "0", None], "priced has 3 columns, Priced has 4 fields"),
    ],
)
def test_a_column_that_holds_what_its_field_cannot_is_poison(values: list[Any], sentence: str) -> None:
    with pytest.raises(Poison) as caught:
        from_values(Priced, values)
    assert sentence in str(caught.value)


def test_json_that_is_not_as_declared_is_poison() -> None:
    class Ordered(Row):
        id: Key[str]
        lines: tuple[Line, ...] = ()

    with pytest.raises(Poison, match=r"ordered.lines cannot be read: Expected `str`"):
        from_values(Ordered, ["a", '[{"product_id": 1, "price": "1"}]'])


def test_a_row_of_plain_values_goes_as_it_stands() -> None:
    class Plain(Row):
        id: Key[str]
        count: int

    assert to_values(Plain(id="a", count=1)) == ("a", 1)
    assert from_values(Plain, ["a", 1]) == Plain(id="a", count=1)


def test_a_field_may_be_called_as_its_type() -> None:
    class Sold(Row):
        date: Key[date]
        int: int = 0

    row = Sold(date=date(2026, 11, 24))
    assert from_values(Sold, to_values(row)) == row


def two_fields_of_one_column() -> None:
    class Wrong(Row):
        id: Key[str]
        ID: str

    table_of(Wrong)


def hidden_field() -> None:
    class Wrong(Row):
        id: Key[str]
        _version: int = 0

    table_of(Wrong)


def key_that_may_be_none() -> None:
    class Wrong(Row):
        id: Key[str | None]


def field_of_no_known_type() -> None:
    class Wrong(Row):
        id: Key[str]
        what: Nowhere  # type: ignore[name-defined]  # noqa: F821

    table_of(Wrong)


def field_that_json_cannot_hold() -> None:
    class Wrong(Row):
        id: Key[str]
        what: Line | Priced

    table_of(Wrong)


class Mixed(Enum):
    ONE = 1
    TWO = "two"


def field_of_a_mixed_enum() -> None:
    class Wrong(Row):
        id: Key[str]
        mixed: Mixed

    table_of(Wrong)


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        (field_of_a_mixed_enum, "Wrong: Enums must contain either all str or all int values"),
        (two_fields_of_one_column, "Wrong has two fields that differ only in upper and lower case"),
        (hidden_field, "Wrong._version cannot be a column"),
        (key_that_may_be_none, "Wrong.id cannot be a key: it is NoneType"),
        (field_of_no_known_type, "Wrong: name 'Nowhere' is not defined"),
        (field_that_json_cannot_hold, "Wrong: "),
    ],
)
def test_a_row_that_can_be_no_table_is_refused(program: Any, sentence: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        program()
    assert sentence in str(caught.value)
