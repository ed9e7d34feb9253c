"""Transactional handlers: they run in the commit, after all conditions hold."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tidings.engine.port import Engine
from tidings.engine.unit import Conflict, Failed, Fenced, Inner, Inside, Once, Transaction, Unit, Write
from tidings.errors import Refused
from tidings.testing.conformance.bench import (
    ORDER,
    P0,
    P1,
    ROW,
    Lack,
    commit,
    event,
    hear,
    kept,
    only,
    prepare,
    raised,
    sit,
)


def telling(*numbers: int, once: Once | None = None) -> Callable[[Transaction], Inner]:
    def run(_: Transaction) -> Inner:
        return Inner([event(n) for n in numbers], [once] if once else [])

    return run


async def test_an_impossible_write_fails_alone(e: Engine) -> None:
    def bad(_: Transaction) -> Inner:
        raise ValueError("no such thing")

    seat = await sit(e)
    units = [
        Unit("g", [seat.step(P0, 1)], events=[event(1)], writes=[Write(ROW, ["a", 1])], inside=[Inside(7, bad)]),
        Unit("g", [seat.step(P1, 1)], events=[event(2, 1)]),
    ]
    failed, good = await e.store.commit(units)
    assert isinstance(failed, Failed) and failed.cause == 7 and "no such thing" in failed.error
    assert type(good).__name__ == "Committed"
    assert (await e.store.rows([ROW]))[0] is None and (await seat.now(e)).next == 0
    await only(e, seat.reader, 2)


async def test_a_failure_names_the_handler_that_raised(e: Engine) -> None:
    def bad(_: Transaction) -> Inner:
        raise KeyError("second")

    seat = await sit(e)
    unit = Unit("g", [seat.step(P0, 1)], inside=[Inside(4, telling(1)), Inside(5, bad), Inside(6, telling(2))])
    answer = await commit(e, unit)
    assert isinstance(answer, Failed) and answer.cause == 5
    await only(e, seat.reader)


async def test_events_told_inside_join_the_unit(e: Engine) -> None:
    seat = await sit(e)
    inside = [Inside(0, telling(2)), Inside(1, telling(3, 4))]
    answer = await kept(e, Unit("g", [seat.step(P0, 1)], events=[event(1)], inside=inside, receipt=True))
    got = await hear(seat.reader, 4)
    assert [r.data for _, r in got] == [b"1", b"2", b"3", b"4"]
    claim = await seat.now(e)
    assert not await e.store.reached("g", answer.receipt, 0.0), "they are in the receipt, too"
    await kept(e, Unit("g", [seat.step(P0, got[-1][0].next, at=1, gen=claim.held_gen)]))
    assert await e.store.reached("g", answer.receipt, 0.0)


async def test_events_told_inside_go_to_streams_too(e: Engine) -> None:
    def run(_: Transaction) -> Inner:
        return Inner([event(2, stream=ORDER)])

    seat = await sit(e)
    await kept(e, Unit("g", [seat.step(P0, 1)], events=[event(1, stream=ORDER, version=1)], inside=[Inside(0, run)]))
    assert [s.data for s in (await e.store.load([ORDER]))[0].events] == [b"1", b"2"]


async def test_what_is_told_inside_may_be_impossible(e: Engine) -> None:
    def run(_: Transaction) -> Inner:
        return Inner([event(2, topic="nowhere")])

    seat = await sit(e)
    answer = await commit(e, Unit("g", [seat.step(P0, 1)], events=[event(1)], inside=[Inside(0, run)]))
    assert isinstance(answer, Failed)
    await only(e, seat.reader)


async def test_nothing_runs_inside_a_unit_that_is_refused(e: Engine) -> None:
    ran = threading.Event()

    def run(_: Transaction) -> Inner:
        ran.set()
        return Inner()

    seat = await sit(e)
    assert isinstance(await commit(e, Unit("g", [seat.step(P0, 2, at=1)], inside=[Inside(0, run)])), Fenced)
    assert isinstance(
        await commit(e, Unit("g", [seat.step(P0, 1)], expect={ROW: 4}, inside=[Inside(0, run)])), Conflict
    )
    assert not ran.is_set()


async def test_h14_what_is_marked_inside_happens_once(e: Engine) -> None:
    seat = await sit(e)
    mark = Once("call", b"x", b"answer", [1])
    unit = Unit("g", [seat.step(P0, 1)], events=[event(1)], inside=[Inside(3, telling(2, 3, once=mark))])
    await kept(e, unit)
    found = await e.store.memo("call", b"x")
    assert found and found.memo == b"answer"
    again = Unit("g", [seat.step(P0, 2, at=1)], events=[event(4)], inside=[Inside(3, telling(5, once=mark))])
    answer = await commit(e, again)
    assert isinstance(answer, Conflict) and answer.seen == {b"x": b"answer"}
    assert (await seat.now(e)).next == 1
    await only(e, seat.reader, 1, 2, 3)


async def test_a_mark_told_inside_counts_from_its_own_first_event(e: Engine) -> None:
    def run(_: Transaction) -> Inner:
        return Inner([event(2, 2), event(3, 0)], [Once("call", b"x", b"", [1])])

    seat = await sit(e)
    await kept(e, Unit("g", [seat.step(P1, 1)], events=[event(1, 1)], inside=[Inside(3, run)]))
    got = await hear(seat.reader, 3)
    end = next(batch.next for batch, record in got if record.data == b"3")
    found = await e.store.memo("call", b"x")
    assert found and not await e.store.reached("g", found.receipt, 0.0)
    await kept(e, Unit("g", [seat.step(P0, end)]))
    assert await e.store.reached("g", found.receipt, 0.0), "the second of its own, and no other"


# ---- SQL -----------------------------------------------------------------------------------------------------------


def needs_sql(e: Engine) -> None:
    if not e.can.sql:
        raise Lack("SQL")


def adding(tx: Transaction) -> Inner:
    tx.execute("insert into bills (id, n) values (:id, :n)", {"id": "z", "n": 5})
    return Inner()


async def bills(e: Engine) -> list[tuple[object, ...]]:
    return [tuple(row) for row in await e.store.query("select id, n from bills", {})]


async def test_sql_inside_is_part_of_the_commit(e: Engine) -> None:
    needs_sql(e)
    seat = await sit(e)
    assert list(await e.store.script("bills", "create table bills (id text primary key, n integer)")) == ["bills"]
    fenced = await commit(e, Unit("g", [seat.step(P0, 1, at=4)], inside=[Inside(0, adding)]))
    assert isinstance(fenced, Fenced) and not await bills(e)
    await kept(e, Unit("g", [seat.step(P0, 1)], inside=[Inside(0, adding)]))
    assert await bills(e) == [("z", 5)]


async def test_sql_of_a_unit_that_fails_is_taken_back(e: Engine) -> None:
    needs_sql(e)

    def bad(tx: Transaction) -> Inner:
        adding(tx)
        raise ValueError("after the write")

    seat = await sit(e)
    await e.store.script("bills", "create table bills (id text primary key, n integer)")
    good = Unit(events=[event(1)], writes=[Write(ROW, ["a", 1])])
    answers = await e.store.commit([good, Unit("g", [seat.step(P0, 1)], inside=[Inside(9, bad)]), Unit()])
    assert [type(a).__name__ for a in answers] == ["Committed", "Failed", "Committed"]
    assert not await bills(e) and (await e.store.rows([ROW]))[0]
    await kept(e, Unit("g", [seat.step(P0, 1)], inside=[Inside(0, adding)]))
    answer = await commit(e, Unit("g", [seat.step(P0, 2, at=1)], inside=[Inside(9, adding)]))
    assert isinstance(answer, Failed) and answer.cause == 9, "its primary key is taken"
    assert await bills(e) == [("z", 5)]


async def test_sql_inside_may_not_end_the_transaction(e: Engine) -> None:
    needs_sql(e)
    seat = await sit(e)
    for words in ("commit", "rollback", "begin", "savepoint mine"):

        def bad(tx: Transaction, words: str = words) -> Inner:
            tx.execute(words)
            return Inner()

        answer = await commit(e, Unit("g", [seat.step(P0, 1)], events=[event(1)], inside=[Inside(9, bad)]))
        assert isinstance(answer, Failed) and answer.cause == 9, words
    await only(e, seat.reader)


async def test_sql_inside_sees_what_it_wrote(e: Engine) -> None:
    needs_sql(e)
    seen: list[object] = []

    def run(tx: Transaction) -> Inner:
        adding(tx)
        seen.extend(tuple(row) for row in tx.execute("select n from bills where id = :id", {"id": "z"}))
        return Inner()

    seat = await sit(e)
    await e.store.script("bills", "create table bills (id text primary key, n integer)")
    await kept(e, Unit("g", [seat.step(P0, 1)], inside=[Inside(0, run)]))
    assert seen == [(5,)]


async def test_an_engine_without_sql_says_so(e: Engine) -> None:
    if e.can.sql:
        return
    await prepare(e)
    for attempt in (e.store.query("select 1", {}), e.store.script("x", "create table x (id text)")):
        assert (await raised(Refused, attempt)).hint
    seat = await sit(e)
    answer = await commit(e, Unit("g", [seat.step(P0, 1)], inside=[Inside(2, adding)]))
    assert isinstance(answer, Failed) and answer.cause == 2
