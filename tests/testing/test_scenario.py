from __future__ import annotations

import asyncio
import gc

import pytest

from tests.testing.library import (
    Announce,
    Borrow,
    Borrowed,
    Bought,
    Buy,
    Charge,
    Charged,
    Damaged,
    DayCounted,
    Fee,
    GiveBack,
    Letters,
    OnLoan,
    Ordered,
    Pay,
    Post,
    Reader,
    Refused,
    Remind,
    Reminded,
    Returned,
    SendBack,
    acquisition,
    borrowers,
    fees,
    lending,
    reminders,
    statistics,
)
from tidings import Cancel, DefinitionError, Delete, Later, Service, TidingsError, days, hours, minutes, seconds
from tidings.testing import Scenario

lent = Borrowed(book="b-1", reader="ada")
back = Returned(book="b-1")
ask = Borrow(book="b-1", reader="bob")
shelf = Scenario(lending)


def failing(scenario_then: object, *args: object) -> str:
    """The words of the AssertionError that this `then` raises."""
    with pytest.raises(AssertionError) as caught:
        scenario_then(*args)  # type: ignore[operator]
    return str(caught.value)


# ---- given, when, then ---------------------------------------------------------------------------------------------


def test_an_aggregate_is_folded_from_what_was_given() -> None:
    shelf.given(lent).when(ask).then_rejected("ada has it")
    shelf.given(lent, back).when(ask).then(Borrowed(book="b-1", reader="bob"))
    shelf.given(Borrowed(book="b-2", reader="ada")).when(ask).then(Borrowed(book="b-1", reader="bob"))


def test_a_private_event_can_be_given_and_told() -> None:
    damaged = Damaged(book="b-1")
    shelf.given(damaged, damaged).when(ask).then_parked("it falls apart")
    shelf.given(lent).when(GiveBack(book="b-1", damaged=True)).then(back, damaged)


def test_each_word_gives_a_new_scenario() -> None:
    start = shelf.given(lent)
    start.given(back).when(ask).then(Borrowed(book="b-1", reader="bob"))
    start.when(ask).then_rejected()
    start.when(GiveBack(book="b-1")).then(back)


def test_only_the_last_when_is_looked_at() -> None:
    shelf.when(ask).when(GiveBack(book="b-1")).then(back)
    shelf.when(ask, GiveBack(book="b-1")).then(Borrowed(book="b-1", reader="bob"), back)
    shelf.given(lent).then()


def test_rows_that_are_written_and_deleted_are_effects() -> None:
    Scenario(reminders, {Post: Letters()}).when(lent).then(
        Later(Remind(book="b-1", reader="ada"), after=days(28)), OnLoan(book="b-1", reader="ada")
    )
    loan = OnLoan(book="b-1", reader="ada")
    Scenario(reminders, {Post: Letters()}).given(loan).when(back).then(Cancel(Remind, key="b-1"), Delete(loan))


def test_a_cancel_is_an_effect_where_nothing_waits() -> None:
    Scenario(reminders, {Post: Letters()}).when(back).then(Cancel(Remind, key="b-1"))


def test_a_scenario_runs_inside_a_running_loop_too() -> None:
    async def inside() -> None:
        shelf.given(lent).when(ask).then_rejected("ada")

    asyncio.run(inside())


def test_a_story_is_played_once_however_often_it_is_looked_at() -> None:
    post = Letters()
    overdue = Scenario(reminders, {Post: post}).given(lent).when_passed(days(28))
    loan = OnLoan(book="b-1", reader="ada", reminders=1)
    overdue.then(Remind(book="b-1", reader="ada"), Reminded(reader="ada", book="b-1"), loan).then_rows(loan)
    assert post.sent == ["ada: b-1 is overdue"]


def test_nothing_of_a_story_is_left_behind() -> None:
    shelf.given(lent).when(ask).then_rejected()
    gc.collect()
    assert not [one for one in gc.get_objects() if isinstance(one, asyncio.Task) and not one.done()]


# ---- time ----------------------------------------------------------------------------------------------------------


def test_a_retry_comes_exactly_at_its_time() -> None:
    closed = Scenario(reminders, {Post: Letters(failures=1)}).given(OnLoan(book="b-1", reader="ada"))
    asked = closed.when(Remind(book="b-1", reader="ada"))
    asked.then()
    again = Scenario(reminders, {Post: Letters(failures=1)}).given(OnLoan(book="b-1", reader="ada"))
    again.when(Remind(book="b-1", reader="ada")).when_passed(seconds(9.99)).then()
    later = Scenario(reminders, {Post: Letters(failures=1)}).given(OnLoan(book="b-1", reader="ada"))
    later.when(Remind(book="b-1", reader="ada")).when_passed(seconds(10)).then(
        Reminded(reader="ada", book="b-1"), OnLoan(book="b-1", reader="ada", reminders=1)
    )


def test_retries_that_are_used_up_end_in_parking() -> None:
    closed = Scenario(reminders, {Post: Letters(failures=99)}).given(OnLoan(book="b-1", reader="ada"))
    closed.when(Remind(book="b-1", reader="ada")).when_passed(minutes(5)).then_parked("the office is closed")


def test_a_cancelled_later_never_comes() -> None:
    Scenario(reminders, {Post: Letters()}).given(lent, back).when_passed(days(60)).then()


def test_a_scheduled_handler_runs_once_an_interval() -> None:
    Scenario(statistics).given(lent).when_passed(hours(72)).then(*[DayCounted(readers=1)] * 3)


# ---- projections and sagas -----------------------------------------------------------------------------------------


def test_a_projection_is_tested_alone_or_with_its_service() -> None:
    two = (lent, Borrowed(book="b-2", reader="ada"))
    Scenario(borrowers).given(*two).then_rows(Reader(reader="ada", books=2, last="b-2"))
    Scenario(statistics).given(*two).then_rows(Reader(reader="ada", books=2, last="b-2"))


def test_the_answer_of_a_step_finds_its_saga_whatever_its_key() -> None:
    saga = Scenario(acquisition).given(Ordered(reader="ada", book="b-9"))
    saga.when(Bought(isbn="isbn-b-9")).then(Announce(reader="ada", book="b-9"))
    saga.when(Bought(isbn="isbn-b-9"), Bought(isbn="isbn-b-9")).then(Announce(reader="ada", book="b-9"))
    Scenario(acquisition).when(Ordered(reader="ada", book="b-9")).then(Buy(isbn="isbn-b-9"))


def test_a_step_that_does_not_answer_in_its_time_has_failed() -> None:
    asked = Scenario(acquisition).given(Ordered(reader="ada", book="b-9"), Bought(isbn="isbn-b-9"))
    asked.when_passed(minutes(10)).then(SendBack(isbn="isbn-b-9"))
    asked.when_passed(minutes(9)).then()


# ---- what a failure says -------------------------------------------------------------------------------------------


def test_a_wrong_field_is_named() -> None:
    words = failing(shelf.when(ask).then, Borrowed(book="b-1", reader="eve"))
    assert words == (
        "Scenario(lending).when(Borrow) came to something else\n  ~ Borrowed\n      reader: 'bob', expected 'eve'"
    )


def test_what_is_missing_and_what_is_too_much_is_shown() -> None:
    words = failing(shelf.given(lent).when(GiveBack(book="b-1", damaged=True)).then, back, lent)
    assert "- expected, but it did not come: Borrowed(book='b-1', reader='ada')" in words
    assert "+ not expected, but it came: Damaged(book='b-1')" in words
    words = failing(shelf.given(lent).when(GiveBack(book="b-1", damaged=True)).then, Damaged(book="b-1"), back)
    assert "the same messages in another order: Returned, Damaged, not Damaged, Returned" in words


def test_rows_and_waiting_messages_are_compared_by_field() -> None:
    came = Scenario(reminders, {Post: Letters()}).when(lent)
    words = failing(came.then, OnLoan(book="b-1", reader="eve"), Later(Remind(book="b-1", reader="eve"), days(7)))
    assert "  ~ OnLoan\n      reader: 'ada', expected 'eve'" in words
    assert "  ~ Later Remind\n      after: 28 days, 0:00:00, expected 7 days, 0:00:00" in words
    assert "reader: 'ada', expected 'eve'" in words
    words = failing(came.then)
    assert "+ not expected, but it came: OnLoan(book='b-1', reader='ada', reminders=0)" in words
    words = failing(Scenario(reminders, {Post: Letters()}).when(back).then)
    assert "+ not expected, but it came: Cancel(Remind, key='b-1')" in words


def test_the_reason_why_nothing_came_is_shown() -> None:
    lent_out = shelf.given(lent).when(ask)
    assert "! it was rejected: ada has it" in failing(lent_out.then, Borrowed(book="b-1", reader="bob"))
    assert "! it was rejected: ada has it" in failing(lent_out.then)
    assert "! it was rejected: ada has it" in failing(lent_out.then_parked)
    assert "was rejected for another reason\n  ~ 'ada has it', expected 'eve'" in failing(lent_out.then_rejected, "eve")
    broken = shelf.given(Damaged(book="b-1"), Damaged(book="b-1")).when(ask)
    assert "! it was parked: ValueError: it falls apart" in failing(broken.then)
    assert "! it was parked: ValueError: it falls apart" in failing(broken.then_rejected)
    closed = Scenario(reminders, {Post: Letters(failures=1)}).given(OnLoan(book="b-1", reader="ada"))
    waiting = closed.when(Remind(book="b-1", reader="ada"))
    assert "! it is tried again later: Temporary: the office is closed" in failing(waiting.then_parked)


def test_something_that_came_is_not_rejected() -> None:
    words = failing(shelf.when(ask).then_rejected)
    assert "was not rejected\n  + not expected, but it came: Borrowed(book='b-1', reader='bob')" in words


def test_a_table_holds_exactly_the_rows_that_are_named() -> None:
    stored = Scenario(borrowers).given(lent, Borrowed(book="b-2", reader="bob"))
    ada, bob = Reader(reader="ada", books=1, last="b-1"), Reader(reader="bob", books=1, last="b-2")
    stored.then_rows(bob, ada)
    assert f"+ not expected, but stored: {bob}" in failing(stored.then_rows, ada)
    eve = Reader(reader="eve")
    assert f"- expected, but not stored: {eve}" in failing(stored.then_rows, ada, bob, eve)


def test_a_row_that_was_changed_but_not_returned_is_named() -> None:
    words = failing(Scenario(fees).given(Fee(reader="ada", cents=5)).when(Charge(reader="ada", cents=7)).then)
    assert "changed Fee 'ada' (cents from 5 to 12) and did not return it" in words
    assert "library.py:" in words
    assert "charge" in words
    words = failing(Scenario(fees).when(Charge(reader="ada", cents=7)).then)
    assert "changed Fee 'ada' (cents from 0 to 7)" in words
    Scenario(fees).when(Charge(reader="ada", cents=100)).then(Fee(reader="ada", cents=100))


def test_a_row_that_a_failing_outcome_leaves_behind_is_no_slip() -> None:
    Scenario(fees).given(Fee(reader="ada", cents=5)).when(Pay(reader="ada", cents=7)).then(Refused(reader="ada"))
    Scenario(fees).given(Fee(reader="ada", cents=5)).when(Pay(reader="ada", cents=5)).then(
        Charged(reader="ada"), Fee(reader="ada", cents=0)
    )


# ---- what makes no sense -------------------------------------------------------------------------------------------


def test_a_message_that_the_part_does_not_know_is_refused() -> None:
    with pytest.raises(DefinitionError, match="'lending' neither hears nor folds Reminded"):
        shelf.given(Reminded(reader="ada", book="b-1")).when(ask).then()
    with pytest.raises(DefinitionError, match="'lending' does not hear Returned"):
        shelf.when(back).then()
    with pytest.raises(DefinitionError, match="'lending' does not handle Charge"):
        shelf.when(Charge(reader="ada", cents=1)).then()
    with pytest.raises(DefinitionError, match="'lending' does not keep Fee"):
        shelf.given(Fee(reader="ada")).when(ask).then()
    with pytest.raises(TidingsError, match="Borrow is a command"):
        shelf.given(ask).when(ask).then()  # type: ignore[arg-type]
    with pytest.raises(TidingsError, match="keeps no Fee"):
        shelf.given(lent).then_rows(Fee(reader="ada"))
    with pytest.raises(TidingsError, match="is no effect"):
        shelf.when(ask).then("Borrowed")  # type: ignore[arg-type]


def test_a_resource_that_nobody_makes_is_asked_for() -> None:
    poor = Service("poor")

    @poor.on
    async def hear(event: Borrowed, post: Post) -> None:
        await post.send(event.reader, "enjoy it")

    with pytest.raises(DefinitionError, match="needs Post, which neither 'poor' makes nor the test gave"):
        Scenario(poor).when(lent).then()
    letters = Letters()
    Scenario(poor, {Post: letters}).when(lent).then()
    assert letters.sent == ["ada: enjoy it"]
