"""The key of an event as bytes, and the partition that it chooses: murmur2, bit for bit as Kafka's Java client has it.

The same key must choose the same partition in every process, on every engine and in every client that writes to the
topic, for as long as the topic lives: Python's own `hash` is salted and would not do. Pure Python needs some
microseconds for a key, so the partitions of the keys seen last are kept.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from uuid import UUID

from tidings.errors import DefinitionError

_MIX = 0x5BD1E995
_SEED = 0x9747B28C
_WORD = 0xFFFFFFFF
KEPT = 1 << 16

KEY_TYPES: tuple[type, ...] = (str, bytes, int, UUID, date, Decimal, Enum)


def murmur2(data: bytes) -> int:
    """The 32-bit hash, signed as in Java (org.apache.kafka.common.utils.Utils.murmur2)."""
    length = len(data)
    hashed = _SEED ^ length
    whole = length & ~3
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], "little") * _MIX & _WORD
        word = (word ^ word >> 24) * _MIX & _WORD
        hashed = hashed * _MIX & _WORD ^ word
    if rest := data[whole:]:
        hashed = (hashed ^ int.from_bytes(rest, "little")) * _MIX & _WORD
    hashed = (hashed ^ hashed >> 13) * _MIX & _WORD
    hashed ^= hashed >> 15
    return hashed - (1 << 32) if hashed >> 31 else hashed


@lru_cache(maxsize=KEPT)
def partition_of(key: bytes, partitions: int) -> int:
    """Which of so many partitions the key chooses, as Kafka's default partitioner would."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def key_bytes(value: object) -> bytes:
    """A key as it lies in the log. Equal values give equal bytes. Raises DefinitionError for a type that is no key."""
    return value if type(value) is bytes else key_text(value).encode()


def key_text(value: object) -> str:
    """A key as text, as it names state. Equal values give equal text: `1.50` is `1.5`, a moment is shown in UTC.

    Raises DefinitionError for a type that is no key, and for a datetime without a zone, because it names no moment.
    """
    if type(value) is str:
        return value
    return _text(value)


def _text(value: object) -> str:
    match value:
        case Enum():
            return key_text(value.value)
        case bool():
            return "true" if value else "false"
        case str() | int():
            return str.__str__(value) if isinstance(value, str) else int.__repr__(value)
        case UUID():
            return str(value)
        case datetime():
            return moment_text(value)
        case date():
            return value.isoformat()
        case Decimal():
            return decimal_text(value)
        case bytes():
            return value.hex()
        case _:
            raise DefinitionError(
                f"{value!r} is no key: {type(value).__name__} has no stable text",
                hint="a key is a str, int, UUID, date, datetime, Decimal, bytes or Enum",
            )


def moment_text(value: datetime) -> str:
    """A moment as text that sorts by time: UTC, always six digits of seconds."""
    if value.tzinfo is None:
        raise DefinitionError(f"{value.isoformat()} has no time zone", hint="datetime(..., tzinfo=UTC)")
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def decimal_text(value: Decimal) -> str:
    """A number without needless zeros, exact at any length."""
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise DefinitionError(f"{value} is no number that could be a key")
    text = "".join(map(str, digits)).lstrip("0")
    kept = text.rstrip("0")
    exponent += len(text) - len(kept)
    if not kept:
        return "0"
    minus = "-" if sign else ""
    if not -100 <= exponent <= 100:  # a long row of zeros would make a short number a megabyte
        return f"{minus}{kept}E{exponent}"
    if exponent >= 0:
        return f"{minus}{kept}{'0' * exponent}"
    kept = kept.rjust(1 - exponent, "0")
    return f"{minus}{kept[:exponent]}.{kept[exponent:]}"
