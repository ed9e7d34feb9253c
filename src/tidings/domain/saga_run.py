"""A saga as a group hears it: which instance an event belongs to, what the user's methods make of it, what is written.

An instance is a row of `saga_instances`, found by the key of the event that began it. A command that a saga sends
carries a token (saga, key, step, attempt); the outcomes inherit it, so an answer finds its instance and its step
whatever its own key is. An outcome without a token (a foreign participant) is matched by its key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec

from tidings.clock import MICRO
from tidings.delivery.decision import Decision
from tidings.delivery.outgoing import Outgoing
from tidings.delivery.policy import Retry
from tidings.delivery.session import Look
from tidings.delivery.subscription import Arrival, Mode
from tidings.domain.answers import Rejection
from tidings.domain.saga import Saga
from tidings.domain.saga_state import (
    Ask,
    Do,
    Flow,
    SagaState,
    decode_state,
    encode_state,
    fresh,
)
from tidings.engine.port import Store, Table
from tidings.engine.unit import Address, Timer, Value, Write
from tidings.event.codec import Codec
from tidings.event.envelope import INTERNAL, Head, pack, unpack
from tidings.event.identity import new_id
from tidings.event.message import Message

TIMEOUT = "tidings.Timeout"
TABLE = Table(
    "saga_instances",
    [
        ("id", "text"),
        ("saga", "text"),
        ("key", "text"),
        ("status", "text"),
        ("reason", "text"),
        ("started", "integer"),
        ("updated", "integer"),
        ("state", "json"),
    ],
)


class Token(NamedTuple):
    """What a saga's command carries: `saga|key|step|do or undo|attempt`; only the key may hold a bar itself."""

    saga: str
    key: str
    step: str
    undo: bool
    attempt: int

    def text(self) -> str:
        return f"{self.saga}|{self.key}|{self.step}|{'undo' if self.undo else 'do'}|{self.attempt}"

    @classmethod
    def read(cls, text: str) -> Token:
        saga, _, rest = text.partition("|")
        key, step, what, attempt = rest.rsplit("|", 3)
        return cls(saga, key, step, what == "undo", int(attempt))


class Timeout(msgspec.Struct, frozen=True):
    """The body of a timer: whose time is up, and of which step (None: of the whole saga)."""

    saga: str
    key: str
    step: str | None = None


class SagaKind:
    """Instances as the session keeps them: the row's values; a handler gets the decoded state."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def load(self, addresses: Sequence[Address]) -> Sequence[tuple[int, Sequence[Value] | None]]:
        return [found if found is not None else (0, None) for found in await self.store.rows(addresses)]

    def copy(self, value: Sequence[Value] | None) -> tuple[SagaState, int] | None:
        if value is None:
            return None
        state, started = value[7], value[5]
        return decode_state(state if isinstance(state, (str, bytes)) else b""), int(started or 0)

    def fold(self, value: Any, messages: Sequence[Any]) -> Any:
        raise TypeError("a saga is written, not folded")

    def write(self, address: Address, value: Sequence[Value] | None) -> Write:
        return Write(address, value)

    async def settled(self, stands: Sequence[tuple[Address, int, Any]]) -> None:
        """Nothing to do after a commit."""


class SagaRunner:
    """Runs one saga class; hears its start, the outcomes of its commands, refusals, and its timers."""

    mode: Mode = "inline"
    keeps = True

    def __init__(
        self,
        saga: type[Saga[Any]],
        name: str,
        starts: frozenset[str],
        outcomes: Mapping[str, Sequence[tuple[str, bool, bool]]],
        codecs: Mapping[str, Codec[Any]],
        outgoing: Outgoing,
        kind: SagaKind,
        retry: Retry,
        now: Callable[[], int],
    ) -> None:
        """`name`: `<service>.<class>`. `outcomes`: name of an event -> (step, of its undo?, success?) it may answer."""
        self.saga, self.name, self.starts, self.outcomes = saga, name, starts, outcomes
        self.codecs, self.outgoing, self.kind, self.retry, self.now = codecs, outgoing, kind, retry, now
        self.flow = Flow(saga)

    def address(self, key: str) -> Address:
        return Address(TABLE.name, f"{self.name}|{key}")

    def _key(self, message: Any, head: Head, key: bytes | None) -> str | None:
        """Of the instance; None where this is the answer to another saga's command."""
        if isinstance(message, Timeout):
            return message.key
        if head.saga and head.name not in self.starts:
            token = Token.read(head.saga)
            return token.key if token.saga == self.name else None
        way = self.outgoing.ways.get(type(message))
        found = key if way is None else way.key(message)
        return _name_of(found or b"")

    def needs(self, message: Any, head: Head) -> dict[Address, SagaKind]:
        key = self._key(message, head, None)
        return {} if key is None else {self.address(key): self.kind}

    # ---- one arrival ----

    def run(self, arrival: Arrival, look: Look) -> Decision:
        head, message = arrival.head, arrival.message
        key = self._key(message, head, arrival.key)
        made = Decision(reads=look.reads)
        if key is None:
            return made
        address = self.address(key)
        found: tuple[SagaState, int] | None = look.see(address)
        if head.name in self.starts:
            if found is None:
                state = fresh(self.flow, head.name, head.version, arrival.data or b"{}", arrival.packed)
                self._carry_out(state, self.flow.begin(state), key, arrival, made)
                if state.status == "running" and self.saga.__timeout__ is not None:
                    made.timers.append(self._timer(arrival, key, None, self.saga.__timeout__))
                self._write(address, key, state, self.now(), made)
            return made
        if found is None:
            return made  # an outcome of somebody else's command
        state, started = found
        self.flow.grow(state)
        do = self._happened(state, arrival)
        if do is None:
            return made
        self._carry_out(state, do, key, arrival, made)
        self._write(address, key, state, started, made)
        return made

    def _happened(self, state: SagaState, arrival: Arrival) -> list[Do] | None:
        """What this arrival means for the state; None where it means nothing."""
        message, head = arrival.message, arrival.head
        if isinstance(message, Timeout):
            return self._timed_out(state, message)
        step, undo, success = self._answer(state, head, message)
        if step is None:
            return None
        if isinstance(message, Rejection):
            reason = message.reason
            return self.flow.undo_refused(state, step, reason) if undo else self.flow.failed(state, step, reason)
        if undo:
            return self.flow.undone(state, step)
        if not success:
            return self.flow.failed(state, step, str(getattr(message, "reason", head.name)))
        mine = state.steps[step]
        mine.name, mine.version = head.name, head.version
        mine.outcome = msgspec.Raw(arrival.data or b"{}")
        return self.flow.succeeded(state, step)

    def _answer(self, state: SagaState, head: Head, message: Any) -> tuple[str | None, bool, bool]:
        """(step, of its undo?, success?) that this event answers."""
        may = self.outcomes.get(head.name, ())
        if head.saga:
            token = Token.read(head.saga)
            if token.step not in state.steps or state.steps[token.step].attempt != token.attempt:
                return None, False, False
            success = next((ok for s, undo, ok in may if (s, undo) == (token.step, token.undo)), False)
            if not success and not isinstance(message, Rejection) and not any(s == token.step for s, _, _ in may):
                return None, False, False
            return token.step, token.undo, success
        for step, undo, success in may:
            if state.steps[step].phase in (("undoing",) if undo else ("asked", "silent")):
                return step, undo, success
        return None, False, False

    def _timed_out(self, state: SagaState, timeout: Timeout) -> list[Do]:
        if timeout.step is not None and timeout.step not in self.flow.steps:
            return []  # a program before this one had that step
        silent = [n for n, s in state.steps.items() if s.phase == "asked" and timeout.step in (None, n)]
        limit = self.saga.__timeout__ if timeout.step is None else self.flow.steps[timeout.step].timeout
        reason = f"no answer from {' and '.join(silent) or 'an undo'} in {spoken(limit or timedelta())}"
        return self.flow.timed_out(state, reason, timeout.step)

    # ---- what is done about it ----

    def _carry_out(self, state: SagaState, todo: list[Do], key: str, arrival: Arrival, made: Decision) -> None:
        cause = unpack(state.head) if isinstance(arrival.message, Timeout) else arrival.head
        queue = list(todo)
        while queue:
            do = queue.pop(0)
            if isinstance(do, Ask):
                queue += self._ask(state, do, key, cause, arrival, made)
            else:
                saga = self._instance(state)
                said = saga.completed() if do.completed else saga.failed()
                made.events += [self.outgoing.event(m, self.now(), _bare(cause)) for m in messages(said)]
                made.cancel += [self._alarm(key, None), *(self._alarm(key, s) for s in self.flow.steps)]

    def _ask(self, state: SagaState, do: Ask, key: str, cause: Head, arrival: Arrival, made: Decision) -> list[Do]:
        step = self.flow.steps[do.step]
        make = step.undoing if do.undo else step.request
        command = make(self._instance(state)) if make is not None else None
        if command is None:
            return self.flow.skip_undo(state, do.step) if do.undo else self.flow.skip(state, do.step)
        token = Token(self.name, key, do.step, do.undo, do.attempt)
        made.events.append(self.outgoing.event(command, self.now(), cause, saga=token.text()))
        if not do.undo and step.timeout is not None:
            made.timers.append(self._timer(arrival, key, do.step, step.timeout))
        return []

    def _instance(self, state: SagaState) -> Saga[Any]:
        """The user's object, as its methods expect it."""
        start = self.codecs[state.start_name].decode(state.start_version, bytes(state.start))
        outcomes = {
            name: self.codecs[s.name].decode(s.version, bytes(s.outcome))
            for name, s in state.steps.items()
            if s.name and name in self.flow.steps
        }
        return self.saga(start, outcomes, state.reason)

    def _timer(self, arrival: Arrival, key: str, step: str | None, after: timedelta) -> Timer:
        cause = arrival.head
        due = self.now() + int(after.total_seconds() * MICRO)
        head = Head(new_id(), TIMEOUT, 1, due, self.outgoing.source, cause.correlation, cause.id, INTERNAL)
        data = msgspec.json.encode(Timeout(self.name, key, step))
        return Timer(arrival.partition, self._alarm(key, step), due, key.encode(), pack(head), data)

    def _alarm(self, key: str, step: str | None) -> str:
        """The name of the timer; the key stands last, because only it may hold a slash."""
        return f"saga/{self.name}/{step or ''}/{key}"

    def _write(self, address: Address, key: str, state: SagaState, started: int, made: Decision) -> None:
        values = (
            address.key,
            self.name,
            key,
            state.status,
            state.reason,
            started,
            self.now(),
            encode_state(state).decode(),
        )
        made.writes[address] = (self.kind, values)


def _name_of(key: bytes) -> str:
    try:
        return key.decode()
    except UnicodeDecodeError:  # a key of bytes that are no text
        return f"0x{key.hex()}"


def messages(said: Message | Iterable[Message] | None) -> Sequence[Message]:
    if said is None:
        return ()
    return (said,) if isinstance(said, Message) else tuple(said)


def _bare(cause: Head) -> Head:
    """The same cause without the token: what ends a saga is no step of it."""
    return Head(
        cause.id,
        cause.name,
        cause.version,
        cause.time,
        cause.source,
        cause.correlation,
        cause.causation,
        cause.kind,
        cause.trace,
    )


def spoken(time: timedelta) -> str:
    """`15 minutes`, `1 hour`, `0.2 seconds`: the largest unit that needs no fraction."""
    seconds = time.total_seconds()
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {name}{'' if count == 1 else 's'}"
    return f"{seconds:g} seconds"
