from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from tests.testing.library import (
    Borrow,
    Borrowed,
    Charge,
    Fee,
    GiveBack,
    Letters,
    OnLoan,
    Post,
    Reader,
    Remind,
    Reminded,
    Returned,
    borrowers,
    fees,
    lending,
    library,
    parts,
    reminders,
    statistics,
    titles,
)
from tidings import DefinitionError, Rejected, Service, Stale, System, Temporary, days, hours, seconds
from tidings.errors import Refused
from tidings.testing import CrashPoint, World, run

pytestmark = pytest.mark.anyio
ask = Borrow(book="b-1", reader="ada")
lent = Borrowed(book="b-1", reader="ada")
plain = System("plain", [lending, reminders, Service("idle")])  # no SQL in it


@dataclass
class Lent:
    book: str
    lent: int


async def remindful(world: World, book: str = "b-1") -> OnLoan:
    loan = await world.get(OnLoan, book)
    assert loan is not None
    return loan


# ---- time ----------------------------------------------------------------------------------------------------------


async def test_time_stands_still_until_it_is_moved() -> None:
    async with run(library) as world:
        start = world.now
        assert start == world.clock.time == datetime(2026, 1, 1, 12, tzinfo=UTC)
        await world.call(ask)
        await world.settle()
        assert world.now == start
        await world.clock.advance(hours(1))
        assert world.now == start + hours(1)


async def test_what_comes_due_while_time_moves_comes_at_its_own_time() -> None:
    post = Letters(failures=1)
    async with run(library, {Post: post}) as world:
        start = world.now
        await world.call(ask)
        await world.clock.advance(days(28) - seconds(1))
        assert not world.published(Reminded)
        await world.clock.advance(seconds(1))
        assert not post.sent
        await world.clock.advance(days(3))
        assert post.sent == ["ada: b-1 is overdue"]
        found = [k for k in world._harness.recorder.kept if k.unit.group == "reminders" and k.events]
        assert [k.time for k in found] == [
            int((start + days(28)).timestamp() * 1e6),
            int((start + days(28) + seconds(10)).timestamp() * 1e6),
        ]
        assert (await remindful(world)).reminders == 1


async def test_a_wait_that_only_time_could_end_fails_at_once() -> None:
    async with run(library, {Post: Letters(failures=1)}) as world:
        await world.store(OnLoan(book="b-1", reader="ada"))
        await world.send(Remind(book="b-1", reader="ada"))
        with pytest.raises(Stale, match=r"no Reminded of 'ada' was published; .* the next thing is due in 0:00:10"):
            await world.wait_for(Reminded, key="ada")
        with pytest.raises(Stale, match="group reminders retries"):
            await world.wait_idle()
        with pytest.raises(Stale, match="has no outcome"):
            await world.call(Remind(book="b-1", reader="ada"))
        await world.clock.advance(seconds(10))
        assert (await world.wait_for(Reminded, key="ada")).book == "b-1"
        await world.wait_idle()


async def test_a_call_goes_on_waiting_while_somebody_moves_the_clock() -> None:
    async with run(library, {Post: Letters(failures=2)}) as world:
        await world.store(OnLoan(book="b-1", reader="ada"))
        call = world.call(Remind(book="b-1", reader="ada"))
        receipt, _ = await asyncio.gather(call, world.clock.advance(seconds(60)))
        assert receipt.outcome is None
        assert (await remindful(world)).reminders == 1


async def test_a_parked_event_is_the_hint_of_what_does_not_come() -> None:
    async with run(library) as world:
        await world.send(Remind(book="b-1", reader="ada"))
        await world.clock.advance(hours(1))
        with pytest.raises(Stale, match="reminders parked an event: Missing"):
            await world.wait_for(Reminded)


# ---- reading -------------------------------------------------------------------------------------------------------


async def test_what_was_published_is_found_by_type_and_key() -> None:
    async with run(library) as world:
        receipt = await world.call(ask)
        assert receipt.outcome == lent
        await world.call(GiveBack(book="b-1"))
        await world.call(Borrow(book="b-2", reader="ada"))
        assert world.published(Borrowed) == [lent, Borrowed(book="b-2", reader="ada")]
        assert world.published(Borrowed, key="b-2") == [Borrowed(book="b-2", reader="ada")]
        assert len(world.published(Returned)) == 1
        with pytest.raises(Rejected, match="ada has it"):
            await world.call(Borrow(book="b-2", reader="bob"))


async def test_a_read_sees_all_that_was_told_before_it() -> None:
    async with run(library) as world:
        await world.publish(*[Borrowed(book=f"b-{n}", reader="ada") for n in range(20)])
        assert getattr(await world.get(Reader, "ada"), "books", 0) == 20
        assert [row.books for row in await world.find(Reader, "where books > :n", n=1)] == [20]
        assert len(await world.query(Lent, "select book, lent from titles")) == 20


async def test_log_and_store_apart_behave_the_same_and_have_no_sql() -> None:
    async with run(plain, log_apart=True) as world:
        await world.call(ask)
        await world.clock.advance(days(28))
        assert (await remindful(world)).reminders == 1
        with pytest.raises(Refused, match="no SQL where log and store are apart"):
            await world.find(OnLoan)
    with pytest.raises(Refused, match=r"'statistics.sql' has ddl, so it needs SQL"):
        async with run(library, log_apart=True):
            pass


async def test_rows_of_nobody_are_refused() -> None:
    async with run(plain) as world:
        with pytest.raises(DefinitionError, match="no service of 'plain' keeps Fee"):
            await world.store(Fee(reader="ada"))
        with pytest.raises(DefinitionError, match="is no part of this system"):
            await world.pause(statistics)


# ---- operating -----------------------------------------------------------------------------------------------------


async def test_a_paused_service_handles_nothing_until_it_is_resumed() -> None:
    async with run(library) as world:
        await world.pause(borrowers)
        await world.publish(lent)
        assert await world.get(Reader, "ada") is None
        assert await world.get(OnLoan, "b-1") is not None
        await world.resume(borrowers)
        assert await world.get(Reader, "ada") == Reader(reader="ada", books=1, last="b-1")
        await world.pause(statistics)
        await world.publish(Borrowed(book="b-2", reader="ada"))
        assert await world.get(Reader, "ada") == Reader(reader="ada", books=1, last="b-1")


async def test_parked_events_are_shown_and_driven_again_in_order() -> None:
    post = Letters()
    async with run(library, {Post: post}) as world:
        for _ in range(2):
            await world.send(Remind(book="b-1", reader="ada"))
        await world.send(Remind(book="b-2", reader="ada"))
        await world.store(OnLoan(book="b-2", reader="ada"))
        await world.clock.advance(hours(1))
        first, second = await world.parked(reminders)
        assert (first.group, first.topic, first.key) == ("reminders", "reminders.commands", "b-1")
        assert first.message == second.message == Remind(book="b-1", reader="ada")
        assert first.error.startswith("Missing: remind needs OnLoan 'b-1'")
        assert (second.error, first.attempt, second.attempt) == ("", 3, 0)
        assert post.sent == ["ada: b-2 is overdue"]
        await world.store(OnLoan(book="b-1", reader="ada"))
        with pytest.raises(Refused, match="nothing parked under the key 'b-2'"):
            await world.redrive(reminders, key="b-2")
        assert await world.redrive(reminders) == 1
        assert (await remindful(world)).reminders == 2
        assert await world.parked() == []


async def test_a_parked_event_can_be_dropped() -> None:
    async with run(library) as world:
        await world.send(Remind(book="b-1", reader="ada"))
        await world.clock.advance(hours(1))
        assert await world.redrive(reminders, drop=True) == 1
        assert await world.parked() == []
        assert not world.published(Reminded)


# ---- crashes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("point", "letters"), [("before handler", 1), ("before commit", 2), ("after commit", 1)])
async def test_a_crash_at_each_point_changes_nothing_but_what_is_done_outside(point: CrashPoint, letters: int) -> None:
    post = Letters()
    async with run(library, {Post: post}) as world:
        await world.store(OnLoan(book="b-1", reader="ada"))
        world.crash(reminders, at=point)
        await world.call(Remind(book="b-1", reader="ada"))
        assert len(post.sent) == letters
        assert (await remindful(world)).reminders == 1
        assert len(world.published(Reminded)) == 1


async def test_a_crash_that_never_came_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="reminders did not crash before commit"):
        async with run(library) as world:
            world.crash(reminders, at="before commit")


async def test_a_restart_loses_nothing_that_was_kept() -> None:
    post = Letters(failures=1)
    async with run(library, {Post: post}) as world:
        await world.call(ask)
        await world.clock.advance(days(28))
        await world.restart()
        await world.clock.advance(seconds(10))
        assert (await remindful(world)).reminders == 1
        await world.restart(System("library", [*parts, fees]))
        await world.call(Charge(reader="ada", cents=100))
        assert await world.get(Fee, "ada") == Fee(reader="ada", cents=100)


async def test_a_system_that_was_stopped_goes_on_after_a_restart() -> None:
    async with run(library) as world:
        assert await world.stop() == []
        await world.publish(lent)
        await world.restart()
        assert await world.get(OnLoan, "b-1") is not None


async def test_a_row_that_was_changed_but_not_returned_fails_the_test() -> None:
    with pytest.raises(AssertionError, match=r"changed Fee 'ada' \(cents from 0 to 7\) and did not return it"):
        async with run(System("fees", [fees])) as world:
            await world.call(Charge(reader="ada", cents=7))


# ---- handlers that hang --------------------------------------------------------------------------------------------


async def test_a_handler_that_hangs_is_named_and_can_be_jumped_past(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidings.testing.harness.GUARD", 0.05)
    slow, door, begun = Service("slow"), asyncio.Event(), asyncio.Event()

    @slow.on
    async def hear(event: Borrowed) -> None:
        begun.set()
        await door.wait()

    async with run(System("hanging", [slow])) as world:
        await world.publish(lent)
        await begun.wait()
        with pytest.raises(Stale, match="a batch is being handled"):
            await world.clock.advance(seconds(1))
        world.clock.jump(seconds(1))
        with pytest.raises(Stale, match=r"group slow has an event of book-events/. in hand"):
            await world.settle()
        door.set()
        await world.wait_idle()


async def test_a_temporary_failure_waits_for_the_clock() -> None:
    eager, tries = Service("eager"), list[datetime]()

    async with run(System("eager", [eager])) as world:

        @eager.on
        async def hear(event: Borrowed) -> None:
            tries.append(world.now)
            raise Temporary("not now", after=hours(1))

        await world.restart(System("eager", [eager]))
        await world.publish(lent)
        await world.settle()
        await world.clock.advance(hours(3))
        assert tries == [world.now - hours(n) for n in (3, 2, 1, 0)]


async def test_everything_that_runs_is_gone_at_the_end() -> None:
    before = asyncio.all_tasks()
    async with run(library) as world:
        await world.call(ask)
        assert len(asyncio.all_tasks()) > len(before)
    assert asyncio.all_tasks() == before


async def test_the_group_of_a_projection_can_crash_alone() -> None:
    async with run(library) as world:
        world.crash(titles, at="before commit")
        await world.publish(lent)
        assert await world.get(Reader, "ada") is not None
        assert [row.lent for row in await world.query(Lent, "select book, lent from titles")] == [1]
