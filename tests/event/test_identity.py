from __future__ import annotations

import os
import threading
import time
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings import TidingsError
from tidings.event.identity import IdMaker, derived_id, id_time, new_id, parse, show


def test_a_new_id_is_a_uuid_of_version_7() -> None:
    read = UUID(bytes=new_id())
    assert (read.version, read.variant) == (7, RFC_4122)


def test_a_new_id_knows_its_time_to_the_microsecond() -> None:
    before = time.time_ns() // 1000
    made = IdMaker()()
    assert before - 1 <= id_time(made) <= time.time_ns() // 1000


@given(st.integers(0, 2**47 * 1000))
def test_any_time_can_be_read_back(micro: int) -> None:
    assert 0 <= micro - id_time(IdMaker(lambda: micro * 1000)()) <= 1


def test_the_bits_of_a_new_id_are_where_rfc_9562_has_them() -> None:
    def made(nano: int, bits: bytes) -> str:
        return show(IdMaker(lambda: nano, lambda length: bits * length)())

    half = 0x123456789ABC * 1_000_000 + 500_000
    assert made(half, b"\x00") == "12345678-9abc-7800-8000-000000000000"
    assert made(half, b"\xff") == "12345678-9abc-7800-bfff-ffffffffffff"
    assert made(half + 499_999, b"\x00") == "12345678-9abc-7fff-8000-000000000000"


def test_an_instant_that_is_taken_gives_the_next_one() -> None:
    maker = IdMaker(lambda: 0x123456789ABC * 1_000_000, lambda length: b"\x00" * length)
    assert [show(maker()) for _ in range(3)] == [f"12345678-9abc-700{n}-8000-000000000000" for n in range(3)]


def test_ids_rise_in_one_process() -> None:
    made = [new_id() for _ in range(10_000)]
    assert made == sorted(set(made))


def test_ids_rise_while_the_clock_stands_still_and_when_it_steps_back() -> None:
    clock = iter([5_000_000, 5_000_000, 5_000_000, 4_000_000, 1_000_000, 9_000_000])
    maker = IdMaker(lambda: next(clock))
    made = [maker() for _ in range(6)]
    assert made == sorted(set(made))
    assert id_time(made[-1]) == 9000


def test_ids_rise_over_the_edge_of_a_millisecond() -> None:
    maker = IdMaker(lambda: 5_999_999)
    made = [maker() for _ in range(5000)]
    assert made == sorted(set(made))
    assert all(UUID(bytes=one).version == 7 for one in made)


def test_threads_never_get_the_same_instant() -> None:
    maker = IdMaker(lambda: 5_000_000)
    made: list[bytes] = []
    workers = [threading.Thread(target=lambda: made.extend(maker() for _ in range(2000))) for _ in range(4)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert len({one[:8] for one in made}) == 8000


def test_a_seeded_maker_repeats_its_ids() -> None:
    def maker() -> IdMaker:
        return IdMaker(lambda: 1_000_000, lambda length: b"\x07" * length)

    assert maker()() == maker()()


def test_many_ids_at_once_rise_between_single_ones() -> None:
    maker = IdMaker(lambda: 5_999_999)
    made = [maker(), *maker.many(1000), maker(), *maker.many(0), *maker.many(2), maker()]
    assert made == sorted(set(made))
    assert all(UUID(bytes=one).version == 7 and UUID(bytes=one).variant == RFC_4122 for one in made)


def test_a_forked_process_never_uses_the_random_bits_that_its_parent_drew() -> None:
    drawn: list[int] = []

    def random(length: int) -> bytes:
        drawn.append(length)
        return os.urandom(length)

    maker = IdMaker(random=random)
    maker()
    maker.forked()
    maker()
    assert len(drawn) == 2


def test_a_derived_id_is_the_same_for_the_same_parts() -> None:
    first = derived_id("saga", b"\x01", "step")
    assert first == derived_id("saga", b"\x01", "step")
    assert UUID(bytes=first).version == 8
    assert UUID(bytes=first).variant == RFC_4122


def test_derived_ids_never_change() -> None:
    made = [derived_id("saga", "reserve", "1"), derived_id("saga", "reserve", "2"), derived_id("tick", b"\x00")]
    assert [show(one) for one in made] == [
        "5217488f-b6a1-8fa8-97a7-9ad84b091ff4",
        "d6dd5bd1-097b-8483-b925-7e02a38a384f",
        "697de4f3-138e-8b98-9845-f45256bde9a4",
    ]


def test_a_derived_id_depends_on_where_a_part_ends() -> None:
    assert len({derived_id("a", "bc"), derived_id("ab", "c"), derived_id("abc"), derived_id("abc", "")}) == 4


def test_a_derived_id_has_no_time() -> None:
    with pytest.raises(TidingsError, match="carries no time"):
        id_time(derived_id("a"))


@given(st.binary(min_size=16, max_size=16))
def test_an_id_is_shown_and_read_back(made: bytes) -> None:
    assert show(made) == str(UUID(bytes=made))
    assert parse(show(made)) == parse(made.hex().upper()) == made


@pytest.mark.parametrize("text", ["", "abc", "z" * 32, "0" * 31, "0" * 33])
def test_a_text_that_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(TidingsError, match="is no id"):
        parse(text)
