"""One's own write: receipts, and waiting for commits."""

from __future__ import annotations

import asyncio

from tidings.clock import seconds
from tidings.engine.port import Engine
from tidings.engine.unit import Unit
from tidings.errors import Refused
from tidings.testing.clock import SteeredClock
from tidings.testing.conformance.bench import (
    P0,
    P1,
    event,
    hear,
    held,
    kept,
    prepare,
    raised,
    sit,
    soon,
    tell,
    turns,
)


async def test_h43_a_receipt_is_reached_when_the_group_has_handled_it(e: Engine) -> None:
    seat = await sit(e)
    receipt = (await tell(e, event(1))).receipt
    assert not await e.store.reached("g", receipt, 0.0)
    waiting = asyncio.ensure_future(e.store.reached("g", receipt, 60.0))
    batch, _ = (await hear(seat.reader, 1))[0]
    await turns()
    assert not waiting.done()
    await kept(e, Unit("g", [seat.step(P0, batch.next)]))
    assert await soon(waiting)


async def test_h43_waiting_is_woken_by_another_process(e: Engine, other: Engine) -> None:
    seat = await sit(other)
    receipt = (await tell(e, event(1))).receipt
    waiting = asyncio.ensure_future(e.store.reached("g", receipt, 60.0))
    batch, _ = (await hear(seat.reader, 1))[0]
    await kept(other, Unit("g", [seat.step(P0, batch.next)]))
    assert await soon(waiting)


async def test_h43_waiting_ends(e: Engine, clock: SteeredClock) -> None:
    await sit(e)
    receipt = (await tell(e, event(1))).receipt
    waiting = asyncio.ensure_future(e.store.reached("g", receipt, 60.0))
    while not waiting.done():
        await turns()
        clock.jump(seconds(61.0))
    assert waiting.result() is False


async def test_h43_all_of_a_receipt_counts(e: Engine) -> None:
    seat = await sit(e)
    receipt = (await tell(e, event(1, 0), event(2, 1))).receipt
    ends = {batch.partition: batch.next for batch, _ in await hear(seat.reader, 2)}
    await kept(e, Unit("g", [seat.step(P0, ends[P0])]))
    assert not await e.store.reached("g", receipt, 0.0)
    await kept(e, Unit("g", [seat.step(P1, ends[P1])]))
    assert await e.store.reached("g", receipt, 0.0)


async def test_h43_a_held_event_is_not_reached(e: Engine) -> None:
    seat = await sit(e)
    receipt = (await tell(e, event(1))).receipt
    batch, record = (await hear(seat.reader, 1))[0]
    await kept(e, Unit("g", [seat.step(P0, batch.next)], hold=[held(record.offset)]))
    assert not await e.store.reached("g", receipt, 0.0)
    await kept(e, Unit("g", [seat.step(P0, at=batch.next, gen=1)], finish=[(P0, record.offset)]))
    assert await e.store.reached("g", receipt, 0.0)


async def test_h43_who_does_not_read_is_not_waited_for(e: Engine) -> None:
    await prepare(e)
    receipt = (await tell(e, event(1))).receipt
    assert await e.store.reached("stranger", receipt, 0.0)


async def test_what_is_no_receipt_is_refused(e: Engine) -> None:
    """It came from outside: from a header, a cookie, a form."""
    await sit(e)
    await tell(e, event(1))
    for text in ("garbage", "[1]", "{", "5", "null", '"x"', '[["t",-1,[1]]]', f'[["t",0,[{1 << 70}]]]', "[" * 100_000):
        refused = await raised(Refused, e.store.reached("g", text, 0.0))
        assert "is no position of a commit" in refused.message and refused.hint


async def test_a_receipt_for_nothing_is_reached(e: Engine) -> None:
    await sit(e)
    answer = await kept(e, Unit(receipt=True))
    assert await e.store.reached("g", answer.receipt, 0.0)
    assert await e.store.reached("g", "", 0.0)


async def test_no_receipt_is_made_unless_asked(e: Engine) -> None:
    await prepare(e)
    assert not (await kept(e, Unit(events=[event(1)]))).receipt


# ---- changed -------------------------------------------------------------------------------------------------------


async def waiting_for_news(e: Engine) -> asyncio.Task[None]:
    """A call of `changed` that waits: everything before it was told, however late that came."""
    while True:
        news = asyncio.ensure_future(e.store.changed())
        await turns(20)
        if not news.done():
            return news


async def test_changed_is_woken_by_a_commit(e: Engine) -> None:
    await prepare(e)
    news = await soon(waiting_for_news(e))
    await kept(e, Unit(events=[event(1)]))
    await soon(news)


async def test_changed_is_woken_by_a_commit_of_another_process(e: Engine, other: Engine) -> None:
    await prepare(e)
    news = await soon(waiting_for_news(e))
    await kept(other, Unit(events=[event(1)]))
    await soon(news)


async def test_changed_is_woken_by_an_operator(e: Engine) -> None:
    await sit(e)
    for deed in (
        lambda: e.store.set_paused("g", [P0], "by hand"),
        lambda: e.store.redrive("g", P0, b"k", False),
        lambda: e.store.move("g", {P0: 0}),
        lambda: e.store.remove("g"),
    ):
        news = await soon(waiting_for_news(e))
        await deed()
        await soon(news)


async def test_changed_never_sleeps_through_a_commit(e: Engine) -> None:
    """Between the end of one call and the next one somebody committed: the next one returns at once."""
    await prepare(e)
    for n in range(20):
        await kept(e, Unit(events=[event(n)]))
        await turns(n % 3)
        await soon(e.store.changed())


async def test_changed_takes_the_wake_when_it_is_called(e: Engine) -> None:
    """So that several who look each miss nothing: the call, the look, then the await."""
    await prepare(e)
    first, second = e.store.changed(), e.store.changed()
    await kept(e, Unit(events=[event(1)]))
    await soon(first)
    await soon(second)


async def test_changed_ends(e: Engine, clock: SteeredClock) -> None:
    await prepare(e)
    (await soon(waiting_for_news(e))).cancel()
    news = asyncio.ensure_future(e.store.changed(60.0))
    while not news.done():
        await turns()
        clock.jump(seconds(61.0))
    news.result()
