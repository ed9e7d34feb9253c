from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings import Poison
from tidings.event.envelope import (
    COMMAND,
    EVENT,
    INTERNAL,
    Head,
    Type,
    is_traceparent,
    pack,
    traceparent,
    unpack,
    unpack_type,
)
from tidings.event.identity import new_id

FOREIGN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
made = new_id()
plain = Head(made, "OrderPlaced", 2, 1_795_549_229_795_852, "ordering", made, b"", EVENT)
ids = st.binary(min_size=16, max_size=16)
heads = st.builds(
    Head,
    ids,
    st.text(),
    st.integers(1, 1000),
    st.integers(0, 2**53),
    st.text(),
    ids,
    ids | st.just(b""),
    st.sampled_from([EVENT, COMMAND, INTERNAL]),
    st.text(),
    st.booleans(),
    st.text(),
)


def test_nobody_waits_and_no_saga_asks_unless_said() -> None:
    assert (plain.trace, plain.reply, plain.saga) == ("", False, "")


@given(heads)
def test_an_envelope_is_packed_and_read_back(head: Head) -> None:
    assert unpack(pack(head)) == head


@given(heads)
def test_the_type_of_an_event_is_read_without_the_rest(head: Head) -> None:
    assert unpack_type(pack(head)) == Type(head.id, head.name, head.version)


def test_bytes_without_a_type_are_poison() -> None:
    with pytest.raises(Poison, match="envelope"):
        unpack_type(b"\x93\x01\x02\x03")


def test_an_envelope_costs_little_more_than_what_it_says() -> None:
    said = 3 * 16 + len("OrderPlaced") + len("ordering") + 8
    assert len(pack(plain)) - said + 16 < 30  # a flow's first message has no cause


def test_fields_added_later_are_passed_over_and_those_not_yet_known_have_defaults() -> None:
    fields = list(msgspec.structs.astuple(plain))
    assert unpack(msgspec.msgpack.encode([*fields, "of a later version"])) == plain
    assert unpack(msgspec.msgpack.encode(fields[:8])) == plain


@given(st.binary(max_size=200))
def test_bytes_that_are_no_envelope_are_poison(data: bytes) -> None:
    try:
        assert isinstance(unpack(data), Head)
    except Poison as error:
        assert "envelope" in str(error)


def test_the_trace_is_the_flow_and_the_span_is_the_message() -> None:
    assert traceparent(plain) == f"00-{made.hex()}-{made[8:].hex()}-01"
    assert is_traceparent(traceparent(plain))


def test_a_foreign_trace_is_kept() -> None:
    assert traceparent(msgspec.structs.replace(plain, trace=FOREIGN)) == FOREIGN


@pytest.mark.parametrize(
    "text",
    [
        "garbage",
        FOREIGN.upper(),
        FOREIGN[:-1],
        f"{FOREIGN}-more",  # version 00 has four parts
        f"ff{FOREIGN[2:]}",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        f"{FOREIGN}\n",
    ],
)
def test_a_trace_that_w3c_forbids_begins_a_new_one(text: str) -> None:
    assert not is_traceparent(text)
    assert traceparent(msgspec.structs.replace(plain, trace=text)) == traceparent(plain)


def test_a_trace_of_a_later_version_may_say_more() -> None:
    assert is_traceparent(f"01{FOREIGN[2:]}-more")
    assert is_traceparent(f"cc{FOREIGN[2:]}")
