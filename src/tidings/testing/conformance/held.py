"""Held events: passed by progress, not finished. Waiting, running, or parked until somebody looks."""

from __future__ import annotations

from tidings.engine.port import Engine
from tidings.engine.unit import Conflict, Held, Unit
from tidings.testing.conformance.bench import P0, P1, Seat, commit, held, kept, sit


async def offsets(e: Engine, seat: Seat, due: int | None, limit: int = 99) -> list[int]:
    claims = [c for c in await e.store.renew(list(seat.claims.values())) if c is not None]
    return [h.offset for h in await e.store.held(claims, due, limit)]


async def test_h21_held_events_wait_while_progress_passes(e: Engine) -> None:
    seat = await sit(e)
    await kept(e, Unit("g", [seat.step(P0, 9)], hold=[held(3), held(5, due=0), held(4, b"other", due=0)]))
    assert (await seat.now(e)).next == 9
    assert await offsets(e, seat, None) == [3, 4, 5]
    assert await offsets(e, seat, 1) == [4], "3 is parked, 5 waits behind it, 4 flows"


async def test_h21_only_the_head_of_a_key_is_due(e: Engine) -> None:
    seat = await sit(e)
    await kept(e, Unit("g", [seat.step(P0, 9)], hold=[held(3, due=70), held(5, due=0), held(6, b"other", due=60)]))
    assert await offsets(e, seat, 59) == []
    assert await offsets(e, seat, 60) == [6]
    assert await offsets(e, seat, 70) == [3, 6]


async def test_events_without_a_key_wait_for_nobody(e: Engine) -> None:
    seat = await sit(e)
    await kept(e, Unit("g", [seat.step(P0, 9)], hold=[held(3, None), held(5, None, due=0), held(6, None, due=0)]))
    assert await offsets(e, seat, 1) == [5, 6]


async def test_keys_of_other_partitions_and_groups_are_other_keys(e: Engine) -> None:
    seat, stranger = await sit(e), await sit(e, "stranger")
    await kept(e, Unit("g", [seat.step(P0, 9)], hold=[held(3)]))
    await kept(e, Unit("g", [seat.step(P1, 9)], hold=[held(4, due=0, part=P1)]))
    await kept(e, Unit("stranger", [stranger.step(P0, 9)], hold=[held(5, due=0)]))
    assert await offsets(e, seat, 1) == [4]
    assert await offsets(e, stranger, 1) == [5]


async def test_held_events_come_in_order_and_no_more_than_asked(e: Engine) -> None:
    seat = await sit(e)
    await kept(e, Unit("g", [seat.step(P0, 50)], hold=[held(n, b"%d" % n, due=0) for n in (30, 10, 20, 40)]))
    assert await offsets(e, seat, 1, 3) == [10, 20, 30]
    assert await offsets(e, seat, None, 2) == [10, 20]


async def test_h21_completion_removes_under_the_fence(e: Engine) -> None:
    seat = await sit(e)
    await kept(e, Unit("g", [seat.step(P0, 9)], hold=[held(3, due=0), held(5, due=0)]))
    assert isinstance(await commit(e, Unit("g", [seat.step(P0, at=9)], finish=[(P0, 3)])), Conflict)
    await kept(e, Unit("g", [seat.step(P0, at=9, gen=1)], finish=[(P0, 3)]))
    assert await offsets(e, seat, 1) == [5] and (await seat.now(e)).held_gen == 2


async def test_a_unit_that_touches_nothing_held_leaves_the_generation(e: Engine) -> None:
    seat = await sit(e)
    await kept(e, Unit("g", [seat.step(P0, 9), seat.step(P1, 9)], hold=[held(3)]))
    generations = [c.held_gen for c in await e.store.renew([seat.claims[P0], seat.claims[P1]]) if c]
    assert generations == [1, 0]


async def test_holding_again_replaces(e: Engine) -> None:
    seat = await sit(e)
    await kept(e, Unit("g", [seat.step(P0, 9)], hold=[held(3, due=0)]))
    later = Held(P0, 3, 1, b"k", b"head", b"3", 500, 2, "again")
    await kept(e, Unit("g", [seat.step(P0, at=9, gen=1)], hold=[later]))
    assert list(await e.store.held([await seat.now(e)], None, 9)) == [later]


async def test_h24_original_bytes_are_kept(e: Engine) -> None:
    seat = await sit(e)
    odd = Held(P0, 3, 77, b"\x00\xff", bytes(range(256)), None, None, 4, "boom \N{SNOWMAN}")
    await kept(e, Unit("g", [seat.step(P0, 9)], hold=[odd]))
    assert list(await e.store.held([await seat.now(e)], None, 9)) == [odd]


async def test_held_events_are_there_after_a_takeover(e: Engine, other: Engine) -> None:
    seat = await sit(e)
    await kept(e, Unit("g", [seat.step(P0, 9)], hold=[held(3)]))
    claims = await other.store.claim("g", "b", {P0: 0})
    assert (claims[0].next, claims[0].held_gen) == (9, 1)
    assert [h.offset for h in await other.store.held(claims, None, 9)] == [3]


# ---- re-drive ------------------------------------------------------------------------------------------------------


async def test_h23_redrive_is_noticed_and_runs_in_order(e: Engine, other: Engine) -> None:
    seat = await sit(e)
    await kept(e, Unit("g", [seat.step(P0, 9)], hold=[held(3), held(5, due=0)]))
    assert await other.store.redrive("g", P0, b"k", False) == 1
    answer = await commit(e, Unit("g", [seat.step(P0, 10, at=9, gen=1)]))
    assert isinstance(answer, Conflict) and list(answer.held) == [P0]
    assert (await seat.now(e)).held_gen == 2
    assert await offsets(e, seat, await e.store.now()) == [3], "5 still waits behind it"


async def test_h23_redrive_takes_one_key_of_one_partition(e: Engine) -> None:
    seat = await sit(e)
    mine = [held(3), held(4, b"other"), held(5, None), held(6, part=P1)]
    await kept(e, Unit("g", [seat.step(P0, 9), seat.step(P1, 9)], hold=mine))
    assert await e.store.redrive("g", P0, b"k", False) == 1
    assert await offsets(e, seat, await e.store.now()) == [3]
    assert await e.store.redrive("g", P0, None, False) == 1
    assert await offsets(e, seat, await e.store.now()) == [3, 5]


async def test_h23_redrive_of_nothing_disturbs_nobody(e: Engine) -> None:
    seat = await sit(e)
    await kept(e, Unit("g", [seat.step(P0, 9)], hold=[held(3, due=0)]))
    assert await e.store.redrive("g", P0, b"k", False) == 0
    assert await e.store.redrive("nobody", P0, b"k", False) == 0
    await kept(e, Unit("g", [seat.step(P0, 10, at=9, gen=1)]))


async def test_h23_dropping_takes_the_parked_ones_away(e: Engine) -> None:
    seat = await sit(e)
    await kept(e, Unit("g", [seat.step(P0, 9)], hold=[held(3), held(5, due=0)]))
    assert await e.store.redrive("g", P0, b"k", True) == 1
    assert await offsets(e, seat, None) == [5] and (await seat.now(e)).held_gen == 2
