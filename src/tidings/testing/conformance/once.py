"""Things that happen once: an id is seen, and who comes again is handed what was kept for it."""

from __future__ import annotations

import asyncio

from tidings.clock import seconds
from tidings.engine.port import Engine
from tidings.engine.unit import Conflict, Once, Step, Unit
from tidings.testing.clock import SteeredClock
from tidings.testing.conformance.bench import (
    ORDER,
    P0,
    P1,
    ROW,
    commit,
    event,
    hear,
    kept,
    only,
    prepare,
    private,
    sit,
    soon,
    turns,
)


async def test_h14_once_is_once_and_hands_back_the_memo(e: Engine, other: Engine) -> None:
    seat = await sit(e)
    unit = Unit(once=[Once("call", b"id-1", b"outcome")], events=[event(1)])
    answers = await asyncio.gather(commit(e, unit), commit(other, unit))
    assert sorted(type(a).__name__ for a in answers) == ["Committed", "Conflict"]
    assert [a.seen for a in answers if isinstance(a, Conflict)] == [{b"id-1": b"outcome"}]
    await only(e, seat.reader, 1)


async def test_h14_every_id_that_was_seen_is_named(e: Engine) -> None:
    await prepare(e)
    await kept(e, Unit(once=[Once("s", b"x", b"1"), Once("s", b"y", b"2")]))
    answer = await commit(e, Unit(once=[Once("s", b"z"), Once("s", b"y"), Once("s", b"x")]))
    assert isinstance(answer, Conflict) and answer.seen == {b"x": b"1", b"y": b"2"}


async def test_h14_a_refused_unit_leaves_no_mark(e: Engine) -> None:
    await prepare(e)
    assert isinstance(await commit(e, Unit(expect={ROW: 1}, once=[Once("s", b"x")])), Conflict)
    await kept(e, Unit(once=[Once("s", b"x")]))


async def test_h15_another_scope_is_another_id(e: Engine) -> None:
    await prepare(e)
    for scope in ("one", "two"):
        await kept(e, Unit(once=[Once(scope, b"x", scope.encode())]))
    found = [await e.store.memo(scope, b"x") for scope in ("one", "two", "three")]
    assert [m and m.memo for m in found] == [b"one", b"two", None]


async def test_a_memo_is_waited_for(e: Engine, other: Engine) -> None:
    await prepare(e)
    waiting = asyncio.ensure_future(e.store.memo("call", b"x", 60.0))
    await turns()
    assert not waiting.done()
    await kept(other, Unit(once=[Once("call", b"y")]))
    await kept(other, Unit(once=[Once("call", b"x", b"answer")]))
    found = await soon(waiting)
    assert found and found.memo == b"answer"


async def test_waiting_for_a_memo_ends(e: Engine, clock: SteeredClock) -> None:
    await prepare(e)
    assert await e.store.memo("call", b"x") is None
    waiting = asyncio.ensure_future(e.store.memo("call", b"x", 60.0))
    while not waiting.done():
        await turns()
        clock.jump(seconds(61.0))
    assert waiting.result() is None


async def test_a_memo_tells_when_and_where_its_events_went(e: Engine) -> None:
    """`tells` picks some of the unit's events: whoever asked for these waits for no others."""
    seat = await sit(e)
    told = [event(1, 0), private(2), event(3, 1, stream=ORDER), event(4, 1)]
    now = await e.store.now()
    await kept(e, Unit(events=told, once=[Once("s", b"first", b"", [0, 1]), Once("s", b"both", b"", [0, 2])]))
    await hear(seat.reader, 3)
    first, both = await e.store.memo("s", b"first"), await e.store.memo("s", b"both")
    assert first and both and abs(first.time - now) < 3600e6
    ends = {x.partition: x.next for x in await e.log.extents(["t"])}
    claims = seat.claims
    await kept(e, Unit("g", [Step(P0, claims[P0].epoch, 0, 0, ends[P0])]))
    assert await e.store.reached("g", first.receipt, 0.0)
    assert not await e.store.reached("g", both.receipt, 0.0), "the other partition is not handled"
    await kept(e, Unit("g", [Step(P1, claims[P1].epoch, 0, 0, ends[P1])]))
    assert await e.store.reached("g", both.receipt, 0.0)


async def test_a_memo_that_tells_nothing_has_nothing_to_wait_for(e: Engine) -> None:
    await sit(e)
    await kept(e, Unit(events=[event(1)], once=[Once("s", b"x", b"memo")]))
    found = await e.store.memo("s", b"x")
    assert found and await e.store.reached("g", found.receipt, 0.0)
