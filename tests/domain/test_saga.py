from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.domain import trade
from tests.domain.trade import (
    Cancel,
    Charge,
    Confirm,
    Confirmed,
    Note,
    Overview,
    Paid,
    Placed,
    Refund,
    Release,
    Reserve,
)
from tidings import Command, DefinitionError, Event, Saga, TidingsError, Topic, minutes, seconds, step
from tidings.domain.saga import Step, saga_commands, said_by


class Buy(Saga[Placed], timeout=minutes(15)):
    @step
    def reserve(self) -> Reserve:
        return Reserve(order_id=self.start.order_id)

    @reserve.undo
    def release(self) -> Release:
        return Release(order_id=self.start.order_id)

    @step(beside=reserve, timeout=seconds(30))
    def pay(self) -> Charge:
        return Charge(order_id=self.start.order_id)

    @pay.undo
    def refund(self) -> Refund:
        return Refund(order_id=self.pay.done.payment_id)

    @step
    def confirm(self) -> Confirm | None:
        return Confirm(order_id=self.start.order_id) if self.pay.is_done else None

    def failed(self) -> Iterator[Cancel | Confirmed]:
        yield Cancel(order_id=self.start.order_id, reason=self.reason)


start = Placed(order_id="o", customer_id="ada", placed_at=datetime(2026, 11, 24, 12, tzinfo=UTC))


def test_a_saga_knows_its_steps_in_the_order_written() -> None:
    assert [each.name for each in Buy.__steps__] == ["reserve", "pay", "confirm"]
    assert [[each.name for each in stage] for stage in Buy.__stages__] == [["reserve", "pay"], ["confirm"]]
    assert [each.command for each in Buy.__steps__] == [Reserve, Charge, Confirm]
    assert [each.undo_command for each in Buy.__steps__] == [Release, Refund, None]
    assert (Buy.pay.timeout, Buy.__timeout__) == (seconds(30), minutes(15))
    assert Buy.__starts__ == (Placed,)
    assert saga_commands(Buy) == (Reserve, Charge, Confirm, Release, Refund, Cancel)
    assert said_by(Buy.failed) == (Cancel, Confirmed)


def test_a_step_is_read_by_what_became_of_it() -> None:
    running = Buy(start, {"pay": Paid(order_id="o", payment_id="p-1")}, "no carrier")
    assert running.pay.is_done and not running.reserve.is_done
    assert running.refund() == Refund(order_id="p-1")
    assert [*running.failed()] == [Cancel(order_id="o", reason="no carrier")]
    assert isinstance(Buy.pay, Step)


def test_a_step_that_is_not_done_has_no_outcome() -> None:
    with pytest.raises(TidingsError, match="step 'pay' is not done, so it has no outcome"):
        Buy(start).refund()


def test_a_saga_need_not_say_anything_at_its_end() -> None:
    assert Buy(start).completed() is None
    assert trade.Checkout(start).failed() == Cancel(order_id="o", reason="")
    assert Saga.failed(Buy(start)) is None


def test_a_saga_may_start_on_one_of_several_events() -> None:
    class Either(Saga[Placed | Confirmed]):
        @step
        def pay(self) -> Charge:
            return Charge(order_id=self.start.order_id)

    class Below(Either):
        pass

    assert Either.__starts__ == Below.__starts__ == (Placed, Confirmed)
    assert Below.__steps__ == Either.__steps__


def test_a_step_may_stay_where_its_author_says_so() -> None:
    class Stays(Saga[Placed]):
        @step(undoable=False)
        def pay(self) -> Charge: ...  # type: ignore[empty-body]

        @step
        def reserve(self) -> Reserve: ...  # type: ignore[empty-body]

    assert Stays.__steps__[0].undoing is None


# ---- what is refused ----


def empty() -> None:
    class Empty(Saga[Placed]): ...


def at_once() -> None:
    class Hasty(Saga[Placed], timeout=minutes(0)):
        @step
        def pay(self) -> Charge: ...  # type: ignore[empty-body]


def limit_without_unit() -> None:
    class Hasty(Saga[Placed], timeout=15):  # type: ignore[arg-type]
        @step
        def pay(self) -> Charge: ...  # type: ignore[empty-body]


def step_limit_without_unit() -> None:
    class Hasty(Saga[Placed]):
        @step(timeout=30)  # type: ignore[call-overload, untyped-decorator]
        def pay(self) -> Charge: ...  # type: ignore[empty-body]


def forgotten_undo() -> None:
    class Hasty(Saga[Placed]):
        @step
        def pay(self) -> Charge: ...  # type: ignore[empty-body]

        @step
        def reserve(self) -> Reserve: ...  # type: ignore[empty-body]


def time_limit_without_undo() -> None:
    class Slow(Saga[Placed]):
        @step(timeout=seconds(30))
        def pay(self) -> Charge: ...  # type: ignore[empty-body]


def forgotten_undo_beside() -> None:
    class Hasty(Saga[Placed]):
        @step
        def reserve(self) -> Reserve: ...  # type: ignore[empty-body]

        @reserve.undo
        def release(self) -> Release: ...  # type: ignore[empty-body]

        @step(beside=reserve)
        def pay(self) -> Charge: ...  # type: ignore[empty-body]


def beside_a_step_of_another_saga() -> None:
    class Hasty(Saga[Placed]):
        @step(beside=Buy.reserve)
        def pay(self) -> Charge: ...  # type: ignore[empty-body]


def beside_a_step_of_an_earlier_stage() -> None:
    class Hasty(Saga[Placed]):
        @step
        def reserve(self) -> Reserve: ...  # type: ignore[empty-body]

        @reserve.undo
        def release(self) -> Release: ...  # type: ignore[empty-body]

        @step(undoable=False)
        def confirm(self) -> Confirm: ...  # type: ignore[empty-body]

        @step(beside=reserve)
        def pay(self) -> Charge: ...  # type: ignore[empty-body]


def undo_that_may_fail() -> None:
    class Hasty(Saga[Placed]):
        @step
        def pay(self) -> Charge: ...  # type: ignore[empty-body]

        @pay.undo  # type: ignore[arg-type]
        def again(self) -> Charge: ...  # type: ignore[empty-body]


def two_undos() -> None:
    class Hasty(Saga[Placed]):
        @step
        def pay(self) -> Charge: ...  # type: ignore[empty-body]

        @pay.undo
        def one(self) -> Refund: ...  # type: ignore[empty-body]

        @pay.undo
        def other(self) -> Refund: ...  # type: ignore[empty-body]


def async_step() -> None:
    class Hasty(Saga[Placed]):
        @step  # type: ignore[arg-type]
        async def pay(self) -> Charge: ...  # type: ignore[empty-body]


def async_end() -> None:
    class Hasty(Saga[Placed]):
        @step
        def pay(self) -> Charge: ...  # type: ignore[empty-body]

        async def completed(self) -> Confirm: ...  # type: ignore[empty-body,override]


def step_without_return() -> None:
    class Hasty(Saga[Placed]):
        @step
        def pay(self): ...  # type: ignore[no-untyped-def]  # noqa: ANN202


def step_that_makes_an_event() -> None:
    class Hasty(Saga[Placed]):
        @step  # type: ignore[arg-type]
        def pay(self) -> Paid: ...  # type: ignore[empty-body]


def step_that_makes_one_of_two() -> None:
    class Hasty(Saga[Placed]):
        @step
        def pay(self) -> Charge | Reserve: ...  # type: ignore[empty-body]


def step_that_makes_any_command() -> None:
    class Hasty(Saga[Placed]):
        @step
        def pay(self) -> Command[Any, Any]: ...  # type: ignore[empty-body]


def end_without_return() -> None:
    class Hasty(Saga[Placed]):
        @step
        def pay(self) -> Charge: ...  # type: ignore[empty-body]

        def completed(self): ...  # type: ignore[no-untyped-def]  # noqa: ANN202


def end_that_writes_a_row() -> None:
    class Hasty(Saga[Placed]):
        @step
        def pay(self) -> Charge: ...  # type: ignore[empty-body]

        def completed(self) -> Overview: ...  # type: ignore[empty-body,override]


def end_in_private() -> None:
    class Hasty(Saga[Placed]):
        @step
        def pay(self) -> Charge: ...  # type: ignore[empty-body]

        def completed(self) -> Note: ...  # type: ignore[empty-body]


def private_start() -> None:
    class Hasty(Saga[Note]):
        @step
        def pay(self) -> Charge: ...  # type: ignore[empty-body]


def start_without_key() -> None:
    class Counted(Event, topic=Topic("counts"), unordered=True):
        count: int

    class Hasty(Saga[Counted]):
        @step
        def pay(self) -> Charge: ...  # type: ignore[empty-body]


def no_start() -> None:
    class Hasty(Saga):  # type: ignore[type-arg]
        @step
        def pay(self) -> Charge: ...  # type: ignore[empty-body]


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        (empty, "saga Empty has no steps"),
        (at_once, "saga Hasty cannot have timeout=datetime.timedelta(0)"),
        (limit_without_unit, "saga Hasty cannot have timeout=15"),
        (step_limit_without_unit, "step 'pay' cannot have timeout=30"),
        (forgotten_undo, "Hasty.pay has no undo, but reserve may fail after it"),
        (time_limit_without_undo, "Slow.pay has a time limit and no undo"),
        (forgotten_undo_beside, "Hasty.pay has no undo, but reserve may fail after it"),
        (beside_a_step_of_another_saga, "Hasty.pay stands beside a step that is not above it"),
        (beside_a_step_of_an_earlier_stage, "Hasty.pay stands beside a step that is not above it"),
        (undo_that_may_fail, "Charge may end in Declined"),
        (two_undos, "step 'pay' has an undo already"),
        (async_step, "is async"),
        (async_end, "is async"),
        (step_without_return, "does not say which command it makes"),
        (step_that_makes_an_event, "makes Paid, which is not one command of its own"),
        (step_that_makes_one_of_two, "which is not one command of its own"),
        (step_that_makes_any_command, "which is not one command of its own"),
        (end_without_return, "does not say what it returns"),
        (end_that_writes_a_row, "returns Overview, which is no message"),
        (end_in_private, "returns Note, which is private"),
        (private_start, "saga Hasty starts on Note, which is private"),
        (start_without_key, "saga Hasty starts on Counted, which has no key"),
        (no_start, "saga Hasty does not say what starts it"),
    ],
)
def test_a_wrong_saga_is_refused_at_import(program: Callable[[], None], sentence: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        program()
    assert sentence in str(caught.value)
