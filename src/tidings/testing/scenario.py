"""A sentence about one service or projection: what has happened, what happens now, what must come of it.

Each word gives a new scenario that remembers the story so far, so a start can be shared. The story is played when it is
first looked at (by a `then`), from scratch, on an engine of its own: through the part's real runners, turns and
commits, one message after another, each when everything is at rest.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Self, TypeVar

from tidings.domain.columns import from_values
from tidings.domain.idle import PAGE
from tidings.domain.program import Program
from tidings.domain.service import Effect, Projection, Service
from tidings.domain.state import Row
from tidings.errors import TidingsError
from tidings.event.message import Command, Event, Message
from tidings.testing import diff
from tidings.testing.effects import Effects, Reader, expected
from tidings.testing.harness import Harness, open_harness, sql_in
from tidings.testing.story import Teller

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Word:
    """`what`: messages, rows, how much time, or a command's class with a reason."""

    name: Literal["given", "when", "when_rejected", "when_passed"]
    what: Sequence[Any]

    def __str__(self) -> str:
        shown = [type(one).__name__ if isinstance(one, Message | Row) else _plain(one) for one in self.what]
        return f"{self.name}({', '.join(shown)})"

    async def happen(self, teller: Teller) -> None:
        match self.name:
            case "given":
                for fact in self.what:
                    await teller.given(fact)
            case "when":
                for message in self.what:
                    await teller.arrives(message)
            case "when_rejected":
                await teller.rejects(*self.what)
            case "when_passed":
                await teller.clock.advance(*self.what)


@dataclass(frozen=True, slots=True)
class Played:
    """What came of the last word, and what is stored at the end."""

    came: Effects
    stored: Mapping[type[Row], Sequence[Row]]


class Scenario:
    """A sentence about one service (with its projections) or one projection. Plain functions: `def test_...`.

        Scenario(ordering).given(placed).when(CancelOrder(order_id="o-1", reason="no")).then(
            OrderCancelled(order_id="o-1", reason="no")
        )

    `resources`: fakes for what its handlers ask for by type; they are shared by every story that is played with them.
    The engine is memory, or SQLite in a temporary folder where the part has SQL of its own. A handler that changed a
    row and did not return it fails the story, whatever else comes of it.
    """

    def __init__(self, part: Service | Projection, resources: Mapping[Any, object] | None = None) -> None:
        self.part = part
        self._resources = resources or {}
        self._story: tuple[Word, ...] = ()
        self._played: Played | None = None

    def __repr__(self) -> str:
        return ".".join([f"Scenario({self.part.name})", *map(str, self._story)])

    # ---- the story ----

    def given(self, *history: Event | Row) -> Self:
        """What has happened and what is stored; nothing that this causes is checked.

        Events that an aggregate of the part folds are in its stream, those that it hears are handled, rows are stored.
        """
        return self._and(Word("given", history))

    def when(self, *messages: Event | Command[Any, Any]) -> Self:
        """These arrive, one after another."""
        return self._and(Word("when", messages))

    def when_passed(self, time: timedelta, /) -> Self:
        """Time goes by: timers, timeouts of sagas, retries and `Later` fire, each at its own time."""
        return self._and(Word("when_passed", (time,)))

    def when_rejected(self, command: type[Command[Any, Any]], reason: str, /) -> Self:
        """Whoever does this command of a saga says no."""
        return self._and(Word("when_rejected", (command, reason)))

    def _and(self, word: Word) -> Self:
        more = type(self)(self.part, self._resources)
        more._story = (*self._story, word)  # noqa: SLF001 -- it is one of us
        return more

    # ---- what must come of it ----

    def then(self, *effects: Effect) -> Self:
        """Exactly these came of the last `when...`: messages in this order, rows in any. `then()`: nothing.

        Raises AssertionError, which shows what differs, field by field.
        """
        __tracebackhide__ = True
        came = self._play().came
        lines = diff.differences(expected(effects), came)
        lines += [f"! it was rejected: {text}" for text in came.rejected]
        lines += [f"! it was parked: {error}" for error in came.parked]
        if lines:
            lines += [f"! it is tried again later: {error}" for error in came.retried]
            self._fail("came to something else", lines)
        return self

    def then_rows(self, *rows: Row) -> Self:
        """The tables of these rows hold exactly these rows; other tables are not looked at."""
        __tracebackhide__ = True
        stored = self._play().stored
        lines: list[str] = []
        for kind in dict.fromkeys(map(type, rows)):
            if kind not in stored:
                raise TidingsError(f"{self.part.name!r} keeps no {kind.__name__}", hint="the rows of the part itself")
            lines += diff.rows([row for row in rows if type(row) is kind], stored[kind])
        if lines:
            lines += [f"! an event was parked: {error}" for error in self._play().came.parked]
            self._fail("left other rows", lines)
        return self

    def then_rejected(self, match: str = "") -> Self:
        """A rule said no, with this text (or regular expression) in its reason, and nothing came of it."""
        __tracebackhide__ = True
        return self._then_not("rejected", self._play().came.rejected, match)

    def then_parked(self, match: str = "") -> Self:
        """It cannot be handled and was put aside, with this text in its error, and nothing came of it."""
        __tracebackhide__ = True
        return self._then_not("parked", self._play().came.parked, match)

    def _then_not(self, what: str, reasons: Sequence[str], match: str) -> Self:
        __tracebackhide__ = True
        came = self._play().came
        if not reasons:
            others = [f"! it was rejected: {text}" for text in came.rejected]
            others += [f"! it was parked: {error}" for error in came.parked]
            others += [f"! it is tried again later: {error}" for error in came.retried]
            self._fail(f"was not {what}", [*others, *diff.differences(Effects(), came)])
        if not any(_matches(match, reason) for reason in reasons):
            self._fail(f"was {what} for another reason", [f"~ {reason!r}, expected {match!r}" for reason in reasons])
        if not came.nothing:
            self._fail(f"was {what}, yet something came of it", diff.differences(Effects(), came))
        return self

    def _fail(self, what: str, lines: Sequence[str]) -> None:
        __tracebackhide__ = True
        raise AssertionError("\n".join([f"{self!r} {what}", *(f"  {line}" for line in lines)]))

    # ---- playing it ----

    def _play(self) -> Played:
        if self._played is None:
            self._played = _in_a_loop(self._perform)
        return self._played

    async def _perform(self) -> Played:
        program = Program(self.part.name, [_service_of(self.part)], partial=True)
        gear: Literal["sqlite", "memory"] = "sqlite" if sql_in(program) else "memory"
        async with open_harness(program, self._resources, gear) as harness:
            teller, mark = Teller(harness, self.part.name), 0
            for word in self._story:
                if word.name != "given":
                    mark = len(harness.recorder.kept)
                await word.happen(teller)
            if all(word.name == "given" for word in self._story):
                mark = len(harness.recorder.kept)  # nothing of it is checked
            came = Reader(harness.runtime).effects(harness.recorder.kept[mark:])
            return Played(came, await _stored(harness))


def _service_of(part: Service | Projection) -> Service:
    """A projection is tested alone, in a service that has nothing else."""
    if isinstance(part, Service):
        return part
    alone = Service(part.name.rpartition(".")[0])
    alone.projections.append(part)
    return alone


async def _stored(harness: Harness) -> Mapping[type[Row], Sequence[Row]]:
    found: dict[type[Row], Sequence[Row]] = {}
    for kind, table in harness.runtime.program.tables.items():
        rows: list[Row] = []
        after = ""
        while page := await harness.engine.store.page(table.name, after, PAGE):
            rows += [from_values(kind, values) for _, values in page]
            after = str(page[-1][1][0])
        found[kind] = rows
    return found


def _plain(one: object) -> str:
    return one.__name__ if isinstance(one, type) else str(one) if isinstance(one, timedelta) else repr(one)


def _matches(match: str, text: str) -> bool:
    try:
        return match in text or re.search(match, text) is not None
    except re.error:
        return False


def _in_a_loop(play: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """In a loop of its own; where one runs already, on a thread beside it."""
    if not _is_running():
        return asyncio.run(play())
    with ThreadPoolExecutor(1) as beside:
        return beside.submit(lambda: asyncio.run(play())).result()


def _is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
