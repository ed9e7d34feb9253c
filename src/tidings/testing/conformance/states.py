"""Conditions on streams and rows: what a decision rests on has not moved, or the decision is made again."""

from __future__ import annotations

import asyncio

from tidings.engine.port import Engine
from tidings.engine.unit import Address, Committed, Conflict, Once, Unit, Write
from tidings.testing.conformance.bench import (
    ORDER,
    OTHER_ROW,
    P0,
    ROW,
    commit,
    event,
    hear,
    held,
    kept,
    only,
    prepare,
    private,
    sit,
    timer,
)

THIRD_ROW = Address("shelves", "c")


async def test_a_conflict_names_all_states_that_moved_and_writes_nothing(e: Engine) -> None:
    seat = await sit(e)
    await kept(e, Unit(writes=[Write(ROW, ["a", 1]), Write(OTHER_ROW, ["b", 1])]))
    unit = Unit(expect={ROW: 0, OTHER_ROW: 0, THIRD_ROW: 0}, writes=[Write(THIRD_ROW, ["c", 1])], events=[event(1)])
    answer = await commit(e, unit)
    assert isinstance(answer, Conflict) and set(answer.states) == {ROW, OTHER_ROW}
    assert (await e.store.rows([THIRD_ROW]))[0] is None
    await only(e, seat.reader)


async def test_a_conflict_names_everything_that_moved_at_once(e: Engine) -> None:
    seat = await sit(e)
    late = timer("late", 5)
    await kept(e, Unit("g", [seat.step(P0, 1)], once=[Once("s", b"x", b"memo")], hold=[held(0)]))
    answer = await commit(e, Unit("g", [seat.step(P0, 2, at=1)], expect={ROW: 3}, once=[Once("s", b"x")], fired=[late]))
    assert isinstance(answer, Conflict)
    assert (list(answer.states), list(answer.held), answer.seen, list(answer.gone)) == (
        [ROW], [P0], {b"x": b"memo"}, ["late"],
    )  # fmt: skip


async def test_h07_what_was_only_read_is_checked_too(e: Engine, other: Engine) -> None:
    """Write skew: both read a and b, each writes one of them."""
    await prepare(e)
    first = Unit(expect={ROW: 0, OTHER_ROW: 0}, writes=[Write(ROW, ["a", 1])])
    second = Unit(expect={ROW: 0, OTHER_ROW: 0}, writes=[Write(OTHER_ROW, ["b", 1])])
    answers = await asyncio.gather(commit(e, first), commit(other, second))
    assert sorted(type(a).__name__ for a in answers) == ["Committed", "Conflict"]


async def test_h06_of_parallel_appends_at_one_version_one_wins(e: Engine, other: Engine) -> None:
    await prepare(e)
    units = [Unit(expect={ORDER: 0}, events=[event(n, stream=ORDER, version=1)]) for n in range(20)]
    answers = await asyncio.gather(*(commit((e, other)[n % 2], unit) for n, unit in enumerate(units)))
    assert sum(isinstance(a, Committed) for a in answers) == 1
    assert (await e.store.load([ORDER]))[0].version == 1


async def test_h06_parallel_appends_at_any_version_are_all_kept(e: Engine, other: Engine) -> None:
    await prepare(e)
    units = [Unit(events=[event(n, stream=ORDER)]) for n in range(20)]
    answers = await asyncio.gather(*(commit((e, other)[n % 2], unit) for n, unit in enumerate(units)))
    history = (await e.store.load([ORDER]))[0]
    assert all(isinstance(a, Committed) for a in answers)
    assert [s.version for s in history.events] == list(range(1, 21)) and len({s.id for s in history.events}) == 20


async def test_h06_a_place_that_is_taken_conflicts_without_an_expectation(e: Engine) -> None:
    await prepare(e)
    await kept(e, Unit(events=[event(1, stream=ORDER)]))
    for version in (1, 3):
        answer = await commit(e, Unit(events=[event(2, stream=ORDER, version=version)]))
        assert isinstance(answer, Conflict) and list(answer.states) == [ORDER], version
    assert (await e.store.load([ORDER]))[0].version == 1


async def test_a_conflict_names_each_state_once(e: Engine) -> None:
    await prepare(e)
    told = [event(n, stream=ORDER, version=n + 5) for n in range(2)]
    answer = await commit(e, Unit(expect={ORDER: 3}, events=told))
    assert isinstance(answer, Conflict) and list(answer.states) == [ORDER]


async def test_h08_the_same_events_again_are_the_same_answer(e: Engine) -> None:
    seat = await sit(e)
    unit = Unit(expect={ORDER: 0}, events=[event(1, stream=ORDER, version=1), event(2, stream=ORDER, version=2)])
    assert not (await kept(e, unit)).again
    assert (await kept(e, unit)).again
    await kept(e, Unit(expect={ORDER: 2}, events=[event(3, stream=ORDER, version=3)]))
    assert (await kept(e, unit)).again
    assert (await e.store.load([ORDER]))[0].version == 3
    await only(e, seat.reader, 1, 2, 3)


async def test_h08_other_events_at_the_same_place_conflict(e: Engine) -> None:
    await prepare(e)
    await kept(e, Unit(expect={ORDER: 0}, events=[event(1, stream=ORDER, version=1)]))
    answer = await commit(e, Unit(expect={ORDER: 0}, events=[event(2, stream=ORDER, version=1)]))
    assert isinstance(answer, Conflict) and list(answer.states) == [ORDER]


async def test_h08_again_is_never_said_of_progress(e: Engine) -> None:
    """Progress of this unit was not kept, so its events were kept by another."""
    seat = await sit(e)
    told = [event(1, stream=ORDER, version=1)]
    await kept(e, Unit(expect={ORDER: 0}, events=told))
    answer = await commit(e, Unit("g", [seat.step(P0, 5)], expect={ORDER: 0}, events=told))
    assert isinstance(answer, Conflict) and list(answer.states) == [ORDER]
    assert (await seat.now(e)).next == 0


async def test_h25_no_update_is_lost(e: Engine, other: Engine) -> None:
    await prepare(e)

    async def add(engine: Engine) -> None:
        while True:
            row = (await engine.store.rows([ROW]))[0]
            version, n = (row[0], int(str(row[1][1]))) if row else (0, 0)
            unit = Unit(expect={ROW: version}, writes=[Write(ROW, ["a", n + 1])])
            if isinstance(await commit(engine, unit), Committed):
                return

    await asyncio.gather(*(add((e, other)[n % 2]) for n in range(50)))
    row = (await e.store.rows([ROW]))[0]
    assert row and row[1][1] == 50


async def test_a_row_made_anew_has_another_version(e: Engine) -> None:
    """Deleted and made again between read and commit: the reader must notice."""
    await prepare(e)
    await kept(e, Unit(writes=[Write(ROW, ["a", 1])]))
    before = (await e.store.rows([ROW]))[0]
    await kept(e, Unit(writes=[Write(ROW, None)]))
    assert (await e.store.rows([ROW]))[0] is None
    await kept(e, Unit(expect={ROW: 0}, writes=[Write(ROW, ["a", 1])]))
    assert before and isinstance(await commit(e, Unit(expect={ROW: before[0]})), Conflict)


async def test_a_table_emptied_and_filled_has_other_versions(e: Engine) -> None:
    await sit(e)
    await kept(e, Unit(writes=[Write(ROW, ["a", 1])]))
    before = (await e.store.rows([ROW]))[0]
    await e.store.move("g", {P0: 0}, ["shelves"])
    assert (await e.store.rows([ROW]))[0] is None
    await kept(e, Unit(writes=[Write(ROW, ["a", 1])]))
    assert before and isinstance(await commit(e, Unit(expect={ROW: before[0]})), Conflict)


async def test_the_answer_tells_the_version_of_the_rows(e: Engine) -> None:
    await prepare(e)
    answer = await kept(e, Unit(writes=[Write(ROW, ["a", 1]), Write(OTHER_ROW, ["b", 1])]))
    rows = await e.store.rows([ROW, OTHER_ROW])
    assert answer.version > 0 and [row and row[0] for row in rows] == [answer.version] * 2
    await kept(e, Unit(expect={ROW: answer.version}, writes=[Write(ROW, ["a", 2])]))


async def test_the_last_write_of_a_row_in_a_unit_stands(e: Engine) -> None:
    await prepare(e)
    await kept(e, Unit(writes=[Write(ROW, ["a", 1]), Write(ROW, None), Write(OTHER_ROW, None), Write(ROW, ["a", 2])]))
    rows = await e.store.rows([ROW, OTHER_ROW])
    assert rows[0] and list(rows[0][1]) == ["a", 2] and rows[1] is None


async def test_a_private_event_stays_in_its_stream(e: Engine) -> None:
    seat = await sit(e)
    await kept(e, Unit(expect={ORDER: 0}, events=[private(1, version=1), event(2, stream=ORDER, version=2)]))
    assert [s.data for s in (await e.store.load([ORDER]))[0].events] == [b"1", b"2"]
    await only(e, seat.reader, 2)


async def test_events_keep_the_order_told_in_topics_and_streams(e: Engine) -> None:
    seat = await sit(e)
    two = Address("order", "2")
    told = [event(n, stream=(ORDER, two)[n % 2]) if n % 3 else event(n) for n in range(30)]
    await kept(e, Unit(events=told))
    assert [int(r.data or b"") for _, r in await hear(seat.reader, 30)] == list(range(30))
    for stream, rest in ((ORDER, 0), (two, 1)):
        history = (await e.store.load([stream]))[0]
        assert [int(s.data or b"") for s in history.events] == [n for n in range(30) if n % 3 and n % 2 == rest]
