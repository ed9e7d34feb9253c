"""Timers: due once, fired under the condition that they are as they were read. And marks of relays."""

from __future__ import annotations

from msgspec import structs

from tidings.engine.port import Engine
from tidings.engine.unit import Conflict, Mark, Step, Timer, Unit
from tidings.testing.conformance.bench import P0, P1, Seat, commit, event, kept, only, sit, timer


async def timers(e: Engine, seat: Seat, limit: int = 9) -> list[Timer]:
    return list(await e.store.timers(list(seat.claims.values()), limit))


async def test_timers_come_soonest_first(e: Engine) -> None:
    seat = await sit(e)
    late, soon_, next_ = timer("late", 900), timer("soon", 100, P1), timer("next", 200)
    await kept(e, Unit("g", [seat.step(P0, 1), seat.step(P1, 1)], timers=[late, soon_, next_]))
    assert await timers(e, seat) == [soon_, next_, late]
    assert await timers(e, seat, 2) == [soon_, next_]
    assert list(await e.store.timers([seat.claims[P0]], 9)) == [next_, late]


async def test_a_timer_keeps_its_bytes(e: Engine) -> None:
    seat = await sit(e)
    odd = Timer(P0, "snow \N{SNOWMAN}", 1 << 60, None, bytes(range(256)), None, 7)
    await kept(e, Unit("g", [seat.step(P0, 1)], timers=[odd]))
    assert await timers(e, seat) == [odd]


async def test_h27_a_timer_fires_once(e: Engine) -> None:
    seat = await sit(e)
    due = timer("x", 100)
    await kept(e, Unit("g", [seat.step(P0, 1)], timers=[due]))
    fire = Unit("g", [seat.step(P0, at=1)], fired=[due], events=[event(1)])
    await kept(e, fire)
    again = await commit(e, fire)
    assert isinstance(again, Conflict) and list(again.gone) == ["x"]
    assert not await timers(e, seat)
    await only(e, seat.reader, 1)


async def test_h27_a_cancelled_timer_cannot_fire(e: Engine) -> None:
    """From whatever partition it is cancelled: its name is the group's."""
    seat = await sit(e)
    due = timer("x", 100)
    await kept(e, Unit("g", [seat.step(P0, 1)], timers=[due]))
    await kept(e, Unit("g", [seat.step(P1, 1)], cancel=["x", "never set"]))
    answer = await commit(e, Unit("g", [seat.step(P0, at=1)], fired=[due]))
    assert isinstance(answer, Conflict) and list(answer.gone) == ["x"]


async def test_h27_a_timer_that_moved_cannot_fire(e: Engine) -> None:
    seat = await sit(e)
    due = timer("x", 100)
    await kept(e, Unit("g", [seat.step(P0, 1)], timers=[due]))
    await kept(e, Unit("g", [seat.step(P0, at=1)], timers=[structs.replace(due, due=200)]))
    assert isinstance(await commit(e, Unit("g", [seat.step(P0, at=1)], fired=[due])), Conflict)


async def test_a_timer_set_again_moves(e: Engine) -> None:
    seat = await sit(e)
    old, new = timer("x", 100), Timer(P0, "x", 200, b"k", b"h", b"d", 1)
    await kept(e, Unit("g", [seat.step(P0, 1)], timers=[old]))
    await kept(e, Unit("g", [seat.step(P0, at=1)], fired=[old], timers=[new]))
    assert await timers(e, seat) == [new]
    elsewhere = structs.replace(new, partition=P1, due=50)
    await kept(e, Unit("g", [seat.step(P0, at=1)], timers=[elsewhere]))
    assert await timers(e, seat) == [elsewhere]


async def test_groups_have_timers_of_their_own(e: Engine) -> None:
    one, two = await sit(e, "one"), await sit(e, "two")
    await kept(e, Unit("one", [one.step(P0, 1)], timers=[timer("x", 100)]))
    await kept(e, Unit("two", [two.step(P0, 1)], timers=[timer("x", 200)]))
    await kept(e, Unit("one", [one.step(P0, at=1)], cancel=["x"]))
    assert not await timers(e, one) and [t.due for t in await timers(e, two)] == [200]


async def test_a_refused_unit_sets_no_timer(e: Engine) -> None:
    seat = await sit(e)
    await commit(e, Unit("g", [seat.step(P0, 9, at=4)], timers=[timer("x", 100)]))
    assert not await timers(e, seat)


async def test_h10_marks_move_with_progress(e: Engine) -> None:
    seat = await sit(e)
    step = seat.step(P0, 5)
    await kept(e, Unit("g", [structs.replace(step, marks=[Mark("a", 1, 41), Mark("b", 2, 7)])]))
    await kept(e, Unit("g", [Step(P0, step.epoch, step.held_gen, 5, 6, [Mark("a", 1, 42)])]))
    claim = await seat.now(e)
    assert set(claim.marks) == {Mark("a", 1, 42), Mark("b", 2, 7)}
    assert (await e.store.claim("g", "m", {P0: 0}))[0].marks == claim.marks
