from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings import DefinitionError
from tidings.event.partition import key_bytes, key_text, murmur2, partition_of

PUBLISHED = {  # by Kafka itself: clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}
PARTITIONS = {b"order-1": 26, b"order-2": 43, b"order-3": 49, b"": 31, b"\x00\xff": 3, "ä€😀".encode(): 48}  # of 50


@pytest.mark.parametrize(("key", "hashed"), PUBLISHED.items())
def test_h38_murmur2_agrees_with_the_vectors_that_kafka_publishes(key: bytes, hashed: int) -> None:
    assert murmur2(key) == hashed


@given(st.binary(max_size=64))
def test_h38_murmur2_agrees_with_java_line_by_line(key: bytes) -> None:
    assert murmur2(key) == transcribed(key)


def transcribed(data: bytes) -> int:
    """Utils.murmur2 of Kafka's Java client, kept as close to its text as Python allows."""
    word = 0xFFFFFFFF
    length, m, r = len(data), 0x5BD1E995, 24
    h = 0x9747B28C ^ length
    for i in range(length // 4):
        i4 = i * 4
        k = data[i4] + (data[i4 + 1] << 8) + (data[i4 + 2] << 16) + (data[i4 + 3] << 24)
        k = (k * m) & word
        k ^= k >> r
        k = (k * m) & word
        h = (h * m) & word
        h ^= k
    tail = length & ~3
    if length % 4 == 3:
        h ^= data[tail + 2] << 16
    if length % 4 >= 2:
        h ^= data[tail + 1] << 8
    if length % 4 >= 1:
        h ^= data[tail]
        h = (h * m) & word
    h ^= h >> 13
    h = (h * m) & word
    h ^= h >> 15
    return h - 2**32 if h >= 2**31 else h


def test_h38_a_key_stays_in_its_partition_for_ever() -> None:
    assert {key: partition_of(key, 50) for key in PARTITIONS} == PARTITIONS


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_h38_a_key_stays_in_its_partition_in_every_process(seed: str) -> None:
    program = f"from tidings.event.partition import partition_of as p; print([p(k, 50) for k in {list(PARTITIONS)!r}])"
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == str(list(PARTITIONS.values()))


@given(st.binary(max_size=40), st.integers(1, 1000))
def test_every_key_has_a_partition_that_exists(key: bytes, partitions: int) -> None:
    assert 0 <= partition_of(key, partitions) < partitions


def test_keys_spread_over_all_partitions() -> None:
    counts = [0] * 16
    for number in range(16_000):
        counts[partition_of(f"order-{number}".encode(), 16)] += 1
    assert min(counts) > 850 and max(counts) < 1150


# ---- keys as text ----


class Colour(Enum):
    RED = "red"


class Size(IntEnum):
    BIG = 3


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("ä b", "ä b"),
        (42, "42"),
        (-7, "-7"),
        (True, "true"),
        (UUID("12345678-1234-5678-1234-567812345678"), "12345678-1234-5678-1234-567812345678"),
        (date(2026, 11, 24), "2026-11-24"),
        (datetime(2026, 11, 24, 12, tzinfo=UTC), "2026-11-24T12:00:00.000000+00:00"),
        (Decimal("1.50"), "1.5"),
        (Decimal("-0.00"), "0"),
        (Decimal("0.001"), "0.001"),
        (Decimal("1E+3"), "1000"),
        (Decimal("123.456"), "123.456"),
        (Decimal("-12E-3"), "-0.012"),
        (Decimal("1E+999999"), "1E999999"),
        (Decimal("7E+100"), "7" + "0" * 100),
        (Decimal("7E+101"), "7E101"),
        (Decimal("7E-100"), "0." + "0" * 99 + "7"),
        (Decimal("-7E-101"), "-7E-101"),
        (Colour.RED, "red"),
        (Size.BIG, "3"),
        (b"\x01\xff", "01ff"),
    ],
)
def test_a_key_has_one_text(value: object, text: str) -> None:
    assert key_text(value) == text


def test_bytes_are_their_own_key() -> None:
    assert key_bytes(b"\x01\xff") == b"\x01\xff"
    assert key_bytes("ä") == "ä".encode()


def test_one_moment_is_one_key_whatever_its_zone() -> None:
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert key_text(noon) == key_text(noon.astimezone(timezone(timedelta(hours=5))))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=None))
def test_equal_numbers_are_equal_keys_and_keys_are_exact(value: Decimal) -> None:
    text = key_text(value)
    assert Decimal(text) == value
    assert key_text(Decimal(text)) == text


@pytest.mark.parametrize("value", [1.5, None, ("a", 1), ["a"], {"a": 1}, object()])
def test_a_value_without_a_stable_text_is_no_key(value: object) -> None:
    with pytest.raises(DefinitionError, match="is no key"):
        key_bytes(value)


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), datetime(2026, 11, 24, 12)])  # noqa: DTZ001
def test_a_key_that_names_nothing_is_refused(value: object) -> None:
    with pytest.raises(DefinitionError):
        key_bytes(value)
