"""Several handlers of one group for one type: each sees what the ones before it returned, all of it is one decision."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import structs

from tidings.delivery.decision import Decision, Kind
from tidings.delivery.policy import Retry
from tidings.delivery.session import Look
from tidings.delivery.subscription import Arrival, Mode
from tidings.domain.runner import HandlerRunner
from tidings.engine.unit import Address, Inner, Inside, Transaction
from tidings.errors import Rejected
from tidings.event.envelope import Head


class Several:
    """Several handlers of one group for one type, in the order they were written, as one decision.

    In a muted replay only those that keep rows run. Those that take a Transaction run in the commit, one after another;
    where one of them refuses there, the event is decided again without it.
    """

    def __init__(self, runners: Sequence[HandlerRunner], retry: Retry) -> None:
        self.runners = runners
        self.retry = retry
        self.keeps = any(r.keeps for r in runners)
        self.mode: Mode = "inline" if all(r.mode == "inline" for r in runners) else "awaited"

    def needs(self, message: Any, head: Head) -> dict[Address, Kind]:
        return {a: k for r in self.runners for a, k in r.needs(message, head).items()}

    def run(self, arrival: Arrival, look: Look) -> Decision | Awaitable[Decision]:
        if self.mode != "inline":
            return self._awaited(arrival, look)
        whole, parts = Decision(reads=look.reads), dict[int, Inside]()
        for place, runner in self._wanted(arrival, whole):
            decision = runner.run(arrival, look)
            assert isinstance(decision, Decision)
            _join(whole, decision, look, parts, place)
        return _inside(whole, parts, arrival)

    async def _awaited(self, arrival: Arrival, look: Look) -> Decision:
        whole, parts = Decision(reads=look.reads), dict[int, Inside]()
        for place, runner in self._wanted(arrival, whole):
            decision = runner.run(arrival, look)
            _join(whole, decision if isinstance(decision, Decision) else await decision, look, parts, place)
        return _inside(whole, parts, arrival)

    def _wanted(self, arrival: Arrival, whole: Decision) -> Iterator[tuple[int, HandlerRunner]]:
        for place, runner in enumerate(self.runners):
            if place in arrival.refused:
                whole.outcome, whole.text = "rejected", arrival.refused[place]
            elif runner.keeps or not arrival.muted:
                yield place, runner


def _join(whole: Decision, one: Decision, look: Look, parts: dict[int, Inside], place: int) -> None:
    """The next handler sees what this one returned, as it would in a turn of its own."""
    for address, (kind, value) in one.writes.items():
        look.put(address, kind.copy(value))
    for address, append in one.appends.items():
        look.put(address, append.kind.fold(look.see(address), append.messages))
    whole.writes.update(one.writes)
    for address, append in one.appends.items():
        if address in whole.appends:
            whole.appends[address].messages.extend(append.messages)
        else:
            whole.appends[address] = append
    whole.events.extend(one.events)
    whole.timers.extend(one.timers)
    whole.cancel.extend(one.cancel)
    if one.inside is not None:
        parts[place] = one.inside
    if one.outcome != "handled":
        whole.outcome, whole.text = one.outcome, one.text


def _inside(whole: Decision, parts: Mapping[int, Inside], arrival: Arrival) -> Decision:
    """The decision with what runs in the commit: these parts, in order."""
    if not parts:
        return whole
    raised: list[BaseException] = []
    at = 0

    def run(tx: Transaction) -> Inner:
        nonlocal at
        told: list[Inner] = []
        try:
            for place, part in parts.items():
                at = place
                told.append(part.run(tx))
        except BaseException as error:
            raised.append(error)
            raise
        return Inner([event for each in told for event in each.events], [once for each in told for once in each.once])

    def refuse(no: Rejected) -> Decision:
        arrival.refused[at] = no.message
        rest = {place: part for place, part in parts.items() if place != at}
        return _inside(structs.replace(whole, outcome="rejected", text=no.message), rest, arrival)

    first = next(iter(parts.values()))
    return structs.replace(whole, inside=structs.replace(first, run=run), raised=raised, refuse=refuse)
