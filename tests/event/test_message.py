from __future__ import annotations

import dataclasses
from typing import Any, Generic, TypeVar

import msgspec
import pytest

from tests.event import ordinary
from tidings import Cancel, Command, DefinitionError, Event, Key, Later, Topic, days
from tidings.event.codec import Codec
from tidings.event.message import info_of, key_fields
from tidings.event.outcome import Outcomes, check_key, key_of, outcomes_of

orders = Topic("orders")
compacted = Topic("latest", compacted=True)
T = TypeVar("T")


class OrderEvent(Event, topic=orders):
    order_id: Key[str]


class Placed(OrderEvent):
    total: int


class Refused(OrderEvent):
    reason: str


def test_a_message_is_immutable_and_takes_its_fields_by_name() -> None:
    placed = Placed(order_id="o-1", total=3)
    with pytest.raises(AttributeError):
        placed.total = 4  # type: ignore[misc]
    with pytest.raises(TypeError):
        Placed("o-1", 3)  # type: ignore[call-arg]
    assert placed == Placed(order_id="o-1", total=3) and hash(placed)


def test_topic_and_key_are_inherited_and_the_name_is_not() -> None:
    info = info_of(Placed)
    assert (info.name, info.version, info.topic, info.key) == ("Placed", 1, orders, "order_id")
    assert key_of(Placed(order_id="o-1", total=3)) == "o-1"


def test_a_name_may_outlive_its_class() -> None:
    class NewName(OrderEvent, name="OrderPlaced"):
        pass

    class Below(NewName):
        pass

    assert info_of(NewName).name == "OrderPlaced"
    assert info_of(Below).name == "Below"


def test_annotations_that_are_no_text_are_read_alike() -> None:
    assert info_of(ordinary.Shipped).key == "order_id"
    assert outcomes_of(ordinary.Ship) == Outcomes((ordinary.Shipped,), (ordinary.Lost,))


def test_a_class_made_in_a_function_finds_its_neighbours() -> None:
    class Line(msgspec.Struct, frozen=True):
        product: str

    class Packed(OrderEvent):
        lines: tuple[Line, ...]
        first: Line | None = None

    packed = Packed(order_id="o-1", lines=(Line("tea"),))
    codec = Codec(Packed)
    assert codec.decode(1, codec.encode(packed)) == packed


def test_a_message_may_hold_itself() -> None:
    class Comment(OrderEvent):
        text: str
        answers: tuple[Comment, ...] = ()

    said = Comment(order_id="o-1", text="well?", answers=(Comment(order_id="o-1", text="well."),))
    codec = Codec(Comment)
    assert codec.decode(1, codec.encode(said)) == said


def test_a_default_may_hide_its_own_type() -> None:
    class Priced(OrderEvent):
        int: int = 3

    assert Codec(Priced).decode(1, b'{"order_id":"o"}').int == 3


def test_a_key_is_known_before_its_type_is() -> None:
    class Early(Event, topic=orders):
        order_id: Key[NotYet]  # type: ignore[name-defined]  # noqa: F821

    assert info_of(Early).key == "order_id"
    with pytest.raises(DefinitionError, match="NotYet"):
        Codec(Early)


def test_a_field_whose_type_is_not_known_yet_is_no_key() -> None:
    class Early(OrderEvent):
        lines: NotYet[int]  # type: ignore[name-defined]  # noqa: F821

    assert info_of(Early).key == "order_id"


def test_a_key_is_shown_as_one() -> None:
    assert "Key" in repr(Key[str])


def test_a_field_declared_again_is_no_key_any_more() -> None:
    class Moved(OrderEvent):
        order_id: str
        parcel_id: Key[str]

    assert key_fields(Moved) == ["parcel_id"]


def test_a_generic_message_becomes_one_by_being_given_its_type() -> None:
    class Changed(OrderEvent, Generic[T]):
        value: T

    class PriceChanged(Changed[int]):
        pass

    assert (info_of(PriceChanged).key, info_of(PriceChanged).topic) == ("order_id", orders)
    assert Codec(PriceChanged).decode(1, b'{"order_id":"o","value":3}').value == 3


def test_an_unordered_event_needs_no_key_nor_do_those_below_it() -> None:
    class Counted(Event, topic=orders, unordered=True):
        photos: int

    class DayCounted(Counted):
        day: int

    assert info_of(DayCounted).key is None
    assert key_of(DayCounted(photos=1, day=2)) is None


def test_fields_may_be_called_otherwise_in_json() -> None:
    class Renamed(Event, topic=orders, rename="camel"):
        order_id: Key[str]
        placed_by: str

    assert Codec(Renamed).encode(Renamed(order_id="o", placed_by="ada")) == b'{"orderId":"o","placedBy":"ada"}'
    assert info_of(Renamed).key == "order_id"


def test_later_and_cancel_are_plain_values() -> None:
    assert Later(Placed(order_id="o", total=1), after=days(1)) == Later(Placed(order_id="o", total=1), after=days(1))
    assert dataclasses.astuple(Cancel(Placed, key="o")) == (Placed, "o")


# ---- outcomes ----


class Charge(Command[Placed, Refused]):
    order_id: Key[str]


class ChargeAgain(Charge):
    attempt: int


class Ask(Command[Placed | Refused]):
    order_id: Key[str]


class Note(Command):
    order_id: Key[str]


D = TypeVar("D")


class Asking(Command[D, Refused], Generic[D]):
    order_id: Key[str]


class AskPlaced(Asking[Placed]):
    pass


class Forward(Command["Placed", "Refused"]):
    order_id: Key[str]


@pytest.mark.parametrize(
    ("command", "outcomes"),
    [
        (Charge, Outcomes((Placed,), (Refused,))),
        (ChargeAgain, Outcomes((Placed,), (Refused,))),
        (Ask, Outcomes((Placed, Refused), ())),
        (Note, Outcomes()),
        (AskPlaced, Outcomes((Placed,), (Refused,))),
        (Asking, Outcomes((), (Refused,))),
        (Forward, Outcomes((Placed,), (Refused,))),
        (Placed, Outcomes()),
    ],
)
def test_a_command_says_its_outcomes(command: type, outcomes: Outcomes) -> None:
    assert outcomes_of(command) == outcomes


# ---- what is refused ----


def no_key() -> None:
    class Shipped(Event, topic=orders):
        order_id: str


def no_key_to_compact_by() -> None:
    class Shipped(Event, topic=compacted, unordered=True):
        order_id: str


def two_keys() -> None:
    class Shipped(OrderEvent):
        parcel_id: Key[str]


def gap() -> None:
    class Shipped(OrderEvent, version=3, upcasts={1: dict}):
        pass


def version_zero() -> None:
    class Shipped(OrderEvent, version=0):
        pass


def upcast_too_many() -> None:
    class Shipped(OrderEvent, version=2, upcasts={1: dict, 2: dict}):
        pass


def upcast_that_is_none() -> None:
    class Shipped(OrderEvent, version=2, upcasts={1: 7}):
        pass


def thawed() -> None:
    class Shipped(OrderEvent, frozen=False):  # type: ignore[misc]
        pass


def positional() -> None:
    class Shipped(OrderEvent, kw_only=False):
        pass


def unnamed() -> None:
    class Shipped(OrderEvent, name="order shipped"):
        pass


def taken_name() -> None:
    class Shipped(OrderEvent, name="tidings.Tick"):
        pass


def unknown_word() -> None:
    class Shipped(OrderEvent, topik=orders):
        pass


def test_a_gap_in_the_versions_says_what_to_write() -> None:
    with pytest.raises(DefinitionError) as caught:

        class Shipped(OrderEvent, version=4, upcasts={1: dict}):
            pass

    assert caught.value.message == "Shipped is version 4 but cannot read version 2"
    assert caught.value.hint == "upcasts={2: function} makes a body of version 3 from it"
    with pytest.raises(DefinitionError) as caught:
        upcast_too_many()
    assert caught.value.hint == "raise version= to 3, or take the upcast away"


def topic_as_text() -> None:
    class Shipped(Event, topic="orders"):
        order_id: Key[str]


def no_type() -> None:
    class Shipped(OrderEvent):
        at: msgspec.nothing  # type: ignore[name-defined]


def command_with_topic() -> None:
    class Ship(Command, topic=orders):
        order_id: Key[str]


def command_that_promises_a_number() -> None:
    class Ship(Command[int]):
        order_id: Key[str]

    outcomes_of(Ship)


def command_that_promises_nobody_knows_what() -> None:
    class Ship(Command["Nowhere"]):  # type: ignore[name-defined]
        order_id: Key[str]

    outcomes_of(Ship)


def key_of_floats() -> None:
    class Measured(Event, topic=orders):
        value: Key[float]

    check_key(Measured, "value")


def no_message() -> None:
    info_of(int)


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        (no_key, "Shipped goes to topic 'orders' but has no key"),
        (no_key_to_compact_by, "Shipped goes to the compacted topic 'latest' but has no key"),
        (two_keys, "Shipped has 2 keys: order_id, parcel_id"),
        (gap, "Shipped is version 3 but cannot read version 2"),
        (version_zero, "Shipped is version 0"),
        (upcast_too_many, "Shipped is version 2 and has an upcast from version 2"),
        (upcast_that_is_none, "the upcast of Shipped from version 1 cannot be called"),
        (thawed, "Shipped: frozen=False is not possible"),
        (positional, "Shipped: kw_only=False is not possible"),
        (unnamed, "message name 'order shipped' is not allowed"),
        (taken_name, "message name 'tidings.Tick' is not allowed"),
        (unknown_word, "Shipped: "),
        (topic_as_text, "Shipped: topic='orders' is no topic"),
        (no_type, "at: msgspec.nothing"),
        (command_with_topic, "Ship is a command and has topic 'orders'"),
        (command_that_promises_a_number, "Ship promises int, which is no event"),
        (command_that_promises_nobody_knows_what, "Ship: name 'Nowhere' is not defined"),
        (key_of_floats, "Measured.value cannot be a key: it is float"),
        (no_message, "is no message"),
    ],
)
def test_a_wrong_message_is_refused_at_import(program: Any, sentence: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        program()
    assert sentence in str(caught.value)


@pytest.mark.parametrize("kind", ["str", "int", "UUID", "date", "datetime", "Decimal", "bytes", "Colour", "Literal"])
def test_a_key_may_be_of_any_type_with_a_stable_text(kind: str) -> None:
    check_key(ordinary.KEYED[kind], "key")
