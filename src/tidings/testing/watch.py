"""A group as a test runs it: retries come exactly on time, and rows that were changed but not returned are noticed.

Only what a handler returns is written. A row that it was handed, changed and did not return is a slip that nothing
else notices: the change is simply not there afterwards. So every row is compared with what was handed out. Not where
the handler refused, or told the failing outcome of its command: that it writes nothing is then what is meant.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from tidings.delivery.decision import Decision
from tidings.delivery.session import Look
from tidings.delivery.subscription import Arrival, Runner, Subscription
from tidings.domain.columns import from_values, to_values
from tidings.domain.rows import default_row
from tidings.domain.runner import HandlerRunner
from tidings.domain.several import Several
from tidings.domain.state import Row
from tidings.engine.unit import Address, Value
from tidings.errors import TidingsError
from tidings.event.envelope import Head, unpack
from tidings.event.message import Command, info_of
from tidings.event.outcome import outcomes_of

Complain: TypeAlias = Callable[[str], None]
Before: TypeAlias = Mapping[Address, tuple[Value, ...]]


def watched(subscription: Subscription, complain: Complain) -> Subscription:
    """The same subscription, its runners watched."""
    for route in (*subscription.routes.values(), *subscription.internal.values()):
        inner = route.runner
        if isinstance(inner, Several):
            wrapped: Any = [Watched(one, complain) for one in inner.runners]
            inner.runners = wrapped
        route.runner = Watched(inner, complain)
    return subscription


class Watched:
    """Runs another runner. Its retries have no jitter, because a test says exactly how much time has passed."""

    def __init__(self, inner: Any, complain: Complain) -> None:
        self.inner: Runner = inner
        self.mode, self.keeps = inner.mode, inner.keeps
        self.retry = dataclasses.replace(inner.retry, jitter=0.0)
        self._complain = complain
        own = inner if isinstance(inner, HandlerRunner) else getattr(inner, "inner", None)
        self._where = own.handler.where if isinstance(own, HandlerRunner) else None

    def needs(self, message: Any, head: Head) -> Any:
        return self.inner.needs(message, head)

    def run(self, arrival: Arrival, look: Look) -> Decision | Awaitable[Decision]:
        if self._where is None:
            return self.inner.run(arrival, look)
        before = _rows(look)
        made = self.inner.run(arrival, look)
        if isinstance(made, Decision):
            self._compare(arrival, look, before, made)
            return made
        return self._awaited(made, arrival, look, before)

    async def _awaited(self, made: Awaitable[Decision], arrival: Arrival, look: Look, before: Before) -> Decision:
        decision = await made
        self._compare(arrival, look, before, decision)
        return decision

    def _compare(self, arrival: Arrival, look: Look, before: Before, decision: Decision) -> None:
        if decision.outcome != "handled" or _fails(arrival.message, decision):
            return
        for address, row in look.given().items():
            if not isinstance(row, Row):
                continue
            now, written = _values(row), decision.writes.get(address)
            was = before.get(address) or _handed_out(look, address, row)
            meant = was if written is None else written[1]  # a row that goes may have been changed before
            if now != was and meant is not None and tuple(meant) != now:
                self._complain(f"{self._where} {_change(type(row), was, row)}")


def _fails(message: Any, decision: Decision) -> bool:
    """Whether it told the failing outcome of its command."""
    if not isinstance(message, Command) or not decision.events:
        return False
    failing = tuple(outcomes_of(type(message)).failed)
    names = {info_of(kind).name for kind in _families(failing)}
    return any(unpack(event.head).name in names for event in decision.events)


def _families(kinds: Iterable[type]) -> Iterator[type]:
    for kind in kinds:
        yield kind
        yield from _families(kind.__subclasses__())


def _rows(look: Look) -> dict[Address, tuple[Value, ...]]:
    return {address: _values(row) for address, row in look.given().items() if isinstance(row, Row)}


def _values(row: Row) -> tuple[Value, ...]:
    try:
        return to_values(row)
    except TidingsError:  # it was changed into something that no column holds
        return ("?",)


def _handed_out(look: Look, address: Address, row: Row) -> tuple[Value, ...]:
    """What it was when the handler got it: as stored, or made from its defaults."""
    stored = look.session.cells[address].value
    if stored is not None:
        return tuple(stored)
    make = default_row(type(row))
    return _values(make(getattr(row, row.__key__))) if make is not None else ()


def _change(kind: type[Row], was: tuple[Value, ...], row: Row) -> str:
    old = from_values(kind, was)
    fields = [
        f"{name} from {getattr(old, name)!r} to {getattr(row, name)!r}"
        for name in row.__struct_fields__
        if getattr(old, name) != getattr(row, name)
    ]
    key = getattr(old, old.__key__)
    return (
        f"changed {kind.__name__} {key!r} ({', '.join(fields)}) and did not return it, so nothing of that is written: "
        "only what a handler returns happens"
    )
