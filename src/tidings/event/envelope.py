"""The envelope: what is known about a message besides its body, packed beside it and never inside it.

It is a msgpack array, because position costs nothing: 12 bytes of framing, and fields that are added later stand at
the end, where old readers pass over them and new ones fill in the default.
"""

from __future__ import annotations

import re

import msgspec

from tidings.errors import Poison

EVENT, COMMAND, INTERNAL = 0, 1, 2
_traceparent = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")


class Head(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """Who, what, when and why.

    `version`: of the body's shape. `time`: microseconds since 1970. `source`: the service that wrote it. `correlation`:
    the id of the flow's first message; `causation`: the id of the message that led to this one, b"" if it is the first.
    `kind`: EVENT, COMMAND, or INTERNAL (tidings' own). `trace`: a foreign traceparent; empty where the flow began here.
    `reply`: somebody waits for the outcome. `saga`: the token of the saga step whose command this is, or answers.
    """

    id: bytes
    name: str
    version: int
    time: int
    source: str
    correlation: bytes
    causation: bytes
    kind: int
    trace: str = ""
    reply: bool = False
    saga: str = ""


class Type(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The first fields of a head: all that whoever folds a long history wants of it."""

    id: bytes
    name: str
    version: int


pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Head).decode
_unpack_type = msgspec.msgpack.Decoder(Type).decode


def unpack(data: bytes) -> Head:
    """Raises Poison where the bytes are no envelope."""
    try:
        return _unpack(data)
    except ValueError as error:  # DecodeError and UnicodeDecodeError
        raise Poison(f"the envelope cannot be read: {error}") from error


def unpack_type(data: bytes) -> Type:
    """The same, for half the price. Raises Poison where the bytes do not begin as an envelope does."""
    try:
        return _unpack_type(data)
    except ValueError as error:
        raise Poison(f"the envelope cannot be read: {error}") from error


def traceparent(head: Head) -> str:
    """W3C trace context: the foreign one where it came with a valid one, else the flow as trace and the id as span."""
    if head.trace and is_traceparent(head.trace):
        return head.trace
    return f"00-{head.correlation.hex()}-{head.id[8:].hex()}-01"


def is_traceparent(text: str) -> bool:
    """Whether others may send this as `traceparent`: version 00 has four parts, later versions may have more."""
    found = _traceparent.fullmatch(text)
    return found is not None and not (text.startswith("00") and found[1])
