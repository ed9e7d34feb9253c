"""The end of an engine, and what is there after it."""

from __future__ import annotations

import asyncio

from tidings.engine.port import Engine, Topic
from tidings.engine.unit import Once, Unit, Write
from tidings.errors import Closed
from tidings.testing.conformance.bench import (
    ORDER,
    P0,
    ROW,
    SHELVES,
    Lack,
    Opener,
    data,
    event,
    hear,
    held,
    kept,
    prepare,
    raised,
    sit,
    soon,
    timer,
    turns,
)


async def test_h40_a_closed_engine_says_so(e: Engine) -> None:
    seat = await sit(e)
    await e.close()
    await e.close()
    calls = [
        e.store.commit([Unit()]), e.store.claim("g", "m", {P0: 0}), e.store.renew([seat.claims[P0]]),
        e.store.held([seat.claims[P0]], None, 9), e.store.load([ORDER]), e.store.rows([ROW]), e.store.progress(),
        e.store.tables([SHELVES]), e.store.memo("s", b"x"), e.store.notes(None, 9), e.store.acts(9),
        e.store.remove("g"), e.store.purge(9), e.log.send([event(1)]), e.log.read({P0: 0}, 9), e.log.topics(),
        e.log.declare([Topic("t", 4)]), e.log.extents(["t"]), e.log.join("g", ["t"], "n"), e.log.sweep(9),
    ]  # fmt: skip
    for number, call in enumerate(calls):
        assert (await raised(Closed, call)).hint, number


async def test_an_engine_tells_facts_about_itself(e: Engine) -> None:
    await prepare(e)
    facts, thorough = await e.facts(), await e.facts(thorough=True)
    assert facts["engine"] and "damage" not in facts
    assert list(thorough["damage"]) == []


async def test_h40_who_waits_at_the_end_is_let_go(e: Engine) -> None:
    seat = await sit(e)
    receipt = (await kept(e, Unit(events=[event(1)], receipt=True))).receipt
    await hear(seat.reader, 1)
    waits = [
        asyncio.ensure_future(wait)
        for wait in (seat.reader.fetch(9), seat.reader.change(), e.store.reached("g", receipt, 60.0))
    ]
    await turns()
    await e.close()
    for answer in await soon(asyncio.gather(*waits, return_exceptions=True)):
        assert not isinstance(answer, Exception) or isinstance(answer, Closed)


async def test_h40_what_is_in_flight_at_the_end_is_answered(e: Engine, other: Engine) -> None:
    if not e.can.shared:
        raise Lack("several processes")
    seat = await sit(other)
    flights = [asyncio.ensure_future(e.store.commit([Unit(events=[event(n)])])) for n in range(20)]
    await turns(1)
    await e.close()
    answers = [flight.result()[0] for flight in flights if flight.exception() is None]
    assert all(isinstance(f.exception(), Closed | None) for f in flights)
    kinds = {type(answer).__name__ for answer in answers}
    assert kinds <= {"Committed"}
    if answers:
        assert len(await hear(seat.reader, len(answers))) == len(answers)


async def test_what_was_committed_is_there_after_a_restart(e: Engine, opener: Opener) -> None:
    if not e.can.durable:
        raise Lack("durability")
    seat = await sit(e)
    unit = Unit(
        "g", [seat.step(P0, 5)], events=[event(1, stream=ORDER)], writes=[Write(ROW, ["a", 1])], hold=[held(3)],
        timers=[timer("x", 5)], once=[Once("s", b"x", b"memo")], tally={"handled": 1},
    )  # fmt: skip
    answer = await kept(e, unit)
    await e.close()
    again = await opener()
    assert data(await again.log.read({P0: 0}, 9)) == [b"1"]
    assert [t.name for t in await again.log.topics()] == ["t"]
    assert (await again.store.load([ORDER]))[0].version == 1
    row = (await again.store.rows([ROW]))[0]
    assert row and (row[0], list(row[1])) == (answer.version, ["a", 1])
    claims = await again.store.claim("g", "n", {P0: 0})
    assert (claims[0].next, claims[0].epoch, claims[0].held_gen) == (5, seat.claims[P0].epoch + 1, 1)
    assert len(await again.store.held(claims, None, 9)) == len(await again.store.timers(claims, 9)) == 1
    memo = await again.store.memo("s", b"x")
    assert memo and memo.memo == b"memo" and await again.store.tallies("g") == {"handled": 1}


async def test_numbers_go_on_after_a_restart(e: Engine, opener: Opener) -> None:
    """Offsets and versions of rows: one that came twice would be taken for the one before."""
    if not e.can.durable:
        raise Lack("durability")
    await prepare(e)
    before = await kept(e, Unit(events=[event(1)], writes=[Write(ROW, ["a", 1])]))
    end = (await e.log.read({P0: 0}, 9))[0].next
    await e.close()
    again = await opener()
    after = await kept(again, Unit(events=[event(2)], writes=[Write(ROW, ["a", 2])]))
    assert after.version > before.version
    assert data(await again.log.read({P0: end}, 9)) == [b"2"]
