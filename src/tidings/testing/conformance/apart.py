"""Log and store apart: the outbox between them, and the relay's marks."""

from __future__ import annotations

import asyncio

from tidings.engine.port import Engine, Outbox, Sending
from tidings.engine.unit import Fenced, Unit
from tidings.testing.conformance.bench import (
    ORDER,
    P0,
    P1,
    Lack,
    event,
    hear,
    kept,
    prepare,
    private,
    sit,
    soon,
    tell,
    turns,
)


def outbox(e: Engine) -> Outbox:
    if e.outbox is None:
        raise Lack("an outbox: log and store are one")
    return e.outbox


async def taken(e: Engine, epoch: int, lane: int = 0, limit: int = 99) -> list[Sending]:
    rows = await soon(outbox(e).take(lane, epoch, limit))
    assert not isinstance(rows, Fenced)
    return list(rows)


async def told(e: Engine, *numbers: int) -> str:
    """These events wait for a relay."""
    return (await kept(e, Unit(events=[event(n, n % 2) for n in numbers], receipt=True))).receipt


async def test_h10_intents_are_sent_again_exactly_as_numbered(e: Engine) -> None:
    await prepare(e)
    first = await outbox(e).lane(0, 1, "a")
    await told(e, 0, 1, 2)
    before = await taken(e, first)
    second = await outbox(e).lane(0, 1, "b")
    assert second > first
    await told(e, 4)
    assert await taken(e, second) == before
    assert [(s.event.partition, s.mark.sequence) for s in before] == [(0, 1), (1, 1), (0, 2)]


async def test_h09_an_old_relay_is_fenced(e: Engine) -> None:
    await prepare(e)
    first = await outbox(e).lane(0, 1, "a")
    await outbox(e).lane(0, 1, "b")
    assert not await outbox(e).sent(0, first, {}, {})
    assert isinstance(await outbox(e).take(0, first, 9), Fenced)


async def test_h09_an_old_relay_that_waits_is_fenced(e: Engine) -> None:
    await prepare(e)
    first = await outbox(e).lane(0, 1, "a")
    waiting = asyncio.ensure_future(outbox(e).take(0, first, 9))
    await turns()
    await outbox(e).lane(0, 1, "b")
    assert isinstance(await soon(waiting), Fenced)


async def test_h11_only_what_was_acknowledged_goes(e: Engine) -> None:
    await prepare(e)
    epoch = await outbox(e).lane(0, 1, "a")
    await told(e, 0, 2, 4)
    rows = await taken(e, epoch)
    await told(e, 6)
    assert await outbox(e).sent(0, epoch, {rows[0].outbox: 0}, {rows[1].outbox: "too large"})
    assert [s.outbox for s in await taken(e, epoch)] == [rows[2].outbox], "an unknown one stays an intent"
    assert await outbox(e).sent(0, epoch, {rows[2].outbox: 1}, {})
    left = await taken(e, epoch)
    assert [s.event.data for s in left] == [b"6"]
    assert left[0].mark.sequence > rows[2].mark.sequence, "the number of a refused one is never used"


async def test_a_relay_takes_no_more_than_asked(e: Engine) -> None:
    await prepare(e)
    epoch = await outbox(e).lane(0, 1, "a")
    await told(e, 0, 2, 4, 6)
    assert [s.event.data for s in await taken(e, epoch, limit=3)] == [b"0", b"2", b"4"]


async def test_lanes_share_the_partitions(e: Engine) -> None:
    """However many lanes: each partition is in one, so its order is kept; and whoever had the old lanes is fenced."""
    await prepare(e)
    old = await outbox(e).lane(0, 1, "a")
    epochs = [await outbox(e).lane(lane, 2, "a") for lane in (0, 1)]
    assert isinstance(await outbox(e).take(0, old, 9), Fenced)
    await kept(e, Unit(events=[event(n, n % 4) for n in range(40)]))
    got: dict[int, list[int]] = {}
    for lane, epoch in enumerate(epochs):
        waiting = asyncio.ensure_future(outbox(e).take(lane, epoch, 99))
        await turns()
        if not waiting.done():  # all four fell into the other lane
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            continue
        rows = waiting.result()
        assert not isinstance(rows, Fenced)
        mine: dict[int, list[int]] = {}
        for row in rows:
            mine.setdefault(row.event.partition, []).append(int(row.event.data or b""))
        assert not mine.keys() & got.keys()
        got |= mine
    assert got == {part: list(range(part, 40, 4)) for part in range(4)}


async def test_h10_records_carry_the_relays_stamp(e: Engine) -> None:
    outbox(e)
    seat = await sit(e)
    await tell(e, event(0), event(1, 1), event(2))
    stamps = [(b.partition, r.mark.sequence) for b, r in await hear(seat.reader, 3) if r.mark]
    assert sorted(stamps) == [(P0, 1), (P0, 2), (P1, 1)]


async def test_private_events_are_not_sent(e: Engine) -> None:
    await prepare(e)
    epoch = await outbox(e).lane(0, 1, "a")
    await kept(e, Unit(events=[private(1), event(2, stream=ORDER)]))
    assert [s.event.data for s in await taken(e, epoch)] == [b"2"]


async def test_a_receipt_waits_for_the_relay(e: Engine) -> None:
    await prepare(e)
    epoch = await outbox(e).lane(0, 1, "a")
    receipt = await told(e, 0, 1)
    assert not await e.store.reached("stranger", receipt, 0.0)
    rows = await taken(e, epoch)
    await outbox(e).sent(0, epoch, {rows[0].outbox: 5}, {})
    assert not await e.store.reached("stranger", receipt, 0.0)
    await outbox(e).sent(0, epoch, {rows[1].outbox: 6}, {})
    assert await e.store.reached("stranger", receipt, 0.0)


async def test_h11_a_refused_event_is_never_reached(e: Engine) -> None:
    await prepare(e)
    epoch = await outbox(e).lane(0, 1, "a")
    receipt = await told(e, 0)
    rows = await taken(e, epoch)
    await outbox(e).sent(0, epoch, {}, {rows[0].outbox: "too large"})
    assert not await e.store.reached("stranger", receipt, 0.0)
