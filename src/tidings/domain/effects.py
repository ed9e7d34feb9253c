"""What a handler returned becomes a decision: events told, commands asked, rows written, timers set.

Only what is returned happens. Returning something that the annotation does not name is a mistake of the program, found
at the first such event and parked with a sentence that says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tidings.clock import MICRO
from tidings.delivery.decision import Append, Decision, Kind
from tidings.delivery.outgoing import Outgoing
from tidings.delivery.session import Look
from tidings.delivery.subscription import Arrival
from tidings.domain import answers
from tidings.domain.columns import key_text, to_values
from tidings.domain.rows import Addresses
from tidings.domain.signature import Handler, Param
from tidings.domain.state import Aggregate, Delete, Row, folds
from tidings.engine.unit import Event as Told
from tidings.engine.unit import Once, Timer
from tidings.errors import Poison, Rejected
from tidings.event.envelope import INTERNAL, Head, pack, unpack
from tidings.event.identity import new_id
from tidings.event.message import Cancel, Command, Event, Later, Message
from tidings.event.outcome import key_of

LATER = "tidings.Later"
_dump = msgspec.msgpack.Encoder().encode


class Shape:
    """What one handler may return, read once: `allowed` classes, and which events join which of its streams.

    `told`: those of the allowed that are told or asked and nothing else, as most are.
    """

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.name = handler.name
        extra = [Delete] * bool(handler.deletes) + [Cancel] * bool(handler.cancels) + [Later] * bool(handler.tells)
        self.allowed: set[type] = {*handler.emits, *extra}
        self.folds = [(p, folds(p.type)) for p in handler.params if p.kind == "state" and issubclass(p.type, Aggregate)]
        self.told: set[type] = set() if self.folds else set(handler.tells)

    def allows(self, kind: type) -> bool:
        if kind in self.allowed:
            return True
        if any(issubclass(kind, known) for known in self.allowed):  # a base class stands for its subclasses
            self.allowed.add(kind)
            return True
        return False

    def stream(self, event: Event) -> Param | None:
        """The aggregate whose stream an event joins: the first one handed in that folds it."""
        return next((param for param, known in self.folds if isinstance(event, known)), None)


class Effects:
    """Turns results into decisions, for one source."""

    def __init__(
        self, outgoing: Outgoing, kinds: Mapping[type, Kind], addresses: Addresses, now: Callable[[], int]
    ) -> None:
        self.outgoing = outgoing
        self.addresses = addresses
        self.kinds = kinds
        self.now = now

    def decision(self, shape: Shape, arrival: Arrival, look: Look, result: Any) -> Decision:
        made = Decision(reads=look.reads)
        if type(result) in shape.told:
            made.events.append(self.outgoing.event(result, self.now(), arrival.head))
        elif result is not None:
            single = isinstance(result, (Message, Row, Delete, Later, Cancel))
            for effect in (result,) if single else result:
                self._one(shape, arrival, effect, made)
        if arrival.head.reply:
            made.once.append(self._memo(arrival, made))
        return made

    def _one(self, shape: Shape, arrival: Arrival, effect: Any, made: Decision) -> None:
        kind = type(effect)
        if not shape.allows(kind):
            raise Poison(
                f"{shape.name} returned {kind.__name__}, which its annotation does not name",
                hint="add it to the return annotation: what a handler may emit is read from there",
            )
        if isinstance(effect, Event):
            param = shape.stream(effect) if shape.folds else None
            if param is None:
                made.events.append(self.outgoing.event(effect, self.now(), arrival.head))
            else:
                self._join(param, arrival, effect, made)
        elif isinstance(effect, Command):
            made.events.append(self.outgoing.event(effect, self.now(), arrival.head))
        elif isinstance(effect, Row):
            made.writes[self.addresses.of(kind, getattr(effect, effect.__key__))] = (
                self.kinds[kind],
                to_values(effect),
            )
        elif isinstance(effect, Delete):
            row = effect.row
            made.writes[self.addresses.of(type(row), getattr(row, row.__key__))] = (self.kinds[type(row)], None)
        elif isinstance(effect, Later):
            made.timers.append(self.later(arrival, effect))
        else:
            made.cancel.append(later_name(effect.message, effect.key))

    def _join(self, param: Param, arrival: Arrival, event: Event, made: Decision) -> None:
        """The event joins the stream of the aggregate that was handed in as this parameter."""
        stream = self.addresses.of(param.type, param.find(arrival.message))
        made.events.append(self.outgoing.event(event, self.now(), arrival.head, stream=stream))
        append = made.appends.get(stream)
        if append is None:
            made.appends[stream] = Append(self.kinds[param.type], [event])
        else:
            append.messages.append(event)

    def _memo(self, arrival: Arrival, made: Decision) -> Once:
        """The outcome for whoever waits: the first event told that the command promises."""
        outcomes = self.outgoing.ways[type(arrival.message)].outcomes
        tells = list(range(len(made.events)))
        for event in made.events:
            head = unpack(event.head)
            if head.name in outcomes:
                answer = answers.Answer("done", head.name, head.version, event.data or b"")
                return answers.memo(arrival.head, answer, tells)
        return answers.memo(arrival.head, answers.Answer("done"), tells)

    # ---- refusals ----

    def rejected(self, arrival: Arrival, look: Look, no: Rejected) -> Decision:
        """An answer: nothing is written, whoever asked is told."""
        head, text = arrival.head, no.message
        made = Decision(reads=look.reads, outcome="rejected", text=text)
        if head.kind == 1 and head.saga:
            made.events.append(answers.rejection(head, text, self.outgoing.source, self.now()))
        if head.reply:
            made.once.append(answers.memo(head, answers.Answer("rejected", text=text), []))
        return made

    # ---- later ----

    def later(self, arrival: Arrival, effect: Later[Any]) -> Timer:
        """A timer of this group that tells the message when it is due. Same type and key: the newer replaces."""
        event = self.outgoing.event(effect.message, self.now(), arrival.head)
        due = self.now() + int(effect.after.total_seconds() * MICRO)
        return later_timer(event, later_name(type(effect.message), key_of(effect.message)), arrival, due)


def later_timer(event: Told, name: str, arrival: Arrival, due: int) -> Timer:
    head = Head(new_id(), LATER, 1, due, "", arrival.head.correlation, arrival.head.id, INTERNAL)
    data = _dump((event.topic, event.partition, event.key, event.id, event.head, event.data))
    return Timer(arrival.partition, name, due, event.key, pack(head), data)


def later_name(message: type[Message], key: object) -> str:
    text = "" if key is None else key_text(key)
    return f"later/{message.__info__.name}/{text}"
