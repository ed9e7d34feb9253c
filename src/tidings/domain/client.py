"""The door into a running system: publish, send, call, and read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, Literal, LiteralString

import msgspec
from typing_extensions import TypeVar

from tidings.clock import from_micro, seconds, to_micro
from tidings.domain.answers import CALLS, decode_answer
from tidings.domain.columns import from_values, key_text
from tidings.domain.idle import wait_idle
from tidings.domain.kinds import StreamKind
from tidings.domain.runtime import Runtime
from tidings.domain.state import Aggregate, Row
from tidings.engine.port import Engine
from tidings.engine.unit import Committed, Failed, Unit, Unknown
from tidings.engine.unit import Event as Told
from tidings.errors import DefinitionError, EngineError, Rejected, Stale, Unavailable
from tidings.event.envelope import is_traceparent, unpack
from tidings.event.identity import derived_id, show
from tidings.event.message import Command, Event

D = TypeVar("D")
F = TypeVar("F")
T = TypeVar("T")
A = TypeVar("A", bound=Aggregate)
RowT = TypeVar("RowT", bound=Row)

ROWS = "a Row class that a handler takes or returns; client.query reads tables of your own SQL"
STREAMS = "an Aggregate class that a command handler takes"


class Receipt(msgspec.Struct, Generic[T], frozen=True):
    """Proof of a commit. `position` is text that travels in a header or a cookie, to read one's own write with."""

    outcome: T
    position: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """One event as it lies in its stream. `version` counts from 1, `caused_by` is the id of the message that caused
    it."""

    event: Event
    id: str
    version: int
    time: datetime
    caused_by: str | None
    correlation_id: str


class Client:
    """Made by `System.connect` or `System.running`; every method is safe to call from many tasks."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._store = runtime.engine.store
        self._outgoing = runtime.outside
        self._now = runtime.clock.now
        self._public: set[type] = set()  # types that may be published
        self._begun: set[str] = set()  # groups that have a place on every partition they read

    @property
    def engine(self) -> Engine:
        """The engine behind this client: what `tidings.ops` asks."""
        return self._runtime.engine

    # ---- tell and ask ----

    async def publish(self, *events: Event, traceparent: str = "") -> Receipt[None]:
        """Tell; returns when the events are durable. All of them are kept, or none.

        Raises Unavailable where the answer was lost: then they may have been kept, and publishing again may double
        them.
        """
        if not self._public.issuperset(map(type, events)):
            await self._learn({type(e) for e in events})
        if traceparent and not is_traceparent(traceparent):
            traceparent = ""  # W3C: what is none begins a new one
        tell, now = self._outgoing, self._now()
        if len(events) == 1:
            return await self._commit([tell.event(events[0], now, trace=traceparent)])
        return await self._commit(tell.events(events, now, traceparent))

    async def _learn(self, kinds: set[type[Event]]) -> None:
        """Types that are published here for the first time."""
        for kind in kinds:
            if issubclass(kind, Command):
                raise DefinitionError(
                    f"{kind.__name__} is a command, which is asked", hint="client.call or client.send"
                )
            if kind not in self._runtime.ways:
                await self._runtime.learn(kind)
            self._runtime.check_public(kind)
            self._public.add(kind)

    async def send(self, command: Command[Any, Any], /, *, id: str | None = None) -> Receipt[None]:
        """Ask; returns when the command is durable, before it is done. The same `id` again is done once."""
        return await self._commit([await self._command(command, id, reply=id is not None)])

    async def call(
        self, command: Command[D, F], /, *, id: str | None = None, within: timedelta = seconds(30)
    ) -> Receipt[D | F]:
        """Ask and wait for the outcome. The same `id` again gives the first outcome.

        Raises Rejected where a rule said no, Stale where nothing answered within the time: the command is durable all
        the same, and the same `id` may ask for its outcome later.
        """
        patience = _span(within)
        told = await self._command(command, id, reply=True)
        memo = await self._store.memo(CALLS, told.id) if id is not None else None
        if memo is None:
            await self._commit([told])
            memo = await self._store.memo(CALLS, told.id, patience)
        if memo is None:
            raise Stale(
                f"{type(command).__name__} has no outcome after {patience:g} s",
                hint="is its service running? `tidings groups` shows lag, `tidings parked` what failed",
            )
        answer = decode_answer(memo.memo)
        if answer.what == "rejected":
            raise Rejected(answer.text)
        outcome: Any = None
        if answer.name:
            outcome = self._runtime.codecs[answer.name].decode(answer.version, answer.data)
        return Receipt(outcome, memo.receipt, show(told.id))

    async def _command(self, command: Command[Any, Any], id: str | None, *, reply: bool) -> Told:
        asked: type[Any] = type(command)
        if issubclass(asked, Event):
            raise DefinitionError(f"{asked.__name__} is an event, which is told", hint="client.publish")
        if asked not in self._runtime.ways:
            await self._runtime.learn(asked)
        if id is not None and not isinstance(id, str):
            raise DefinitionError(f"id={id!r} is no text", hint="the caller's own name for this request, as a str")
        made = derived_id("call", type(command).__info__.name, id) if id is not None else None
        return self._outgoing.event(command, self._now(), id=made, reply=reply)

    async def _commit(self, told: Sequence[Told]) -> Receipt[None]:
        if not told:
            return Receipt(None, "", "")
        answer = (await self._store.commit([Unit(events=told, receipt=True)]))[0]
        if isinstance(answer, Committed):
            return Receipt(None, answer.receipt, show(told[0].id))
        if isinstance(answer, Unknown | Failed):
            raise Unavailable(
                f"the answer was lost: {answer.error}", hint="it may have been kept; ask before you repeat it"
            )
        raise EngineError(f"a unit without conditions was answered {answer}")

    # ---- read ----

    async def get(
        self,
        row: type[RowT],
        key: object,
        /,
        *,
        after: Receipt[Any] | str | None = None,
        within: timedelta = seconds(5),
        otherwise: Literal["raise", "stale"] = "raise",
    ) -> RowT | None:
        """One row. `after` waits until the table has seen that commit; `otherwise` says what if it has not in time."""
        if row not in self._runtime.program.tables:
            raise DefinitionError(f"no service of this system keeps {row.__name__} as a row", hint=ROWS)
        if after is not None:
            position = after if isinstance(after, str) else after.position
            group = self._runtime.owner(row)
            reached = await self._has_seen(group, position, _span(within)) if position else True
            if not reached and otherwise == "raise":
                raise Stale(
                    f"{row.__name__} has not seen that commit after {_span(within):g} s",
                    hint=f"`tidings groups {group}` shows what it waits for; otherwise='stale' takes what is there",
                )
        found = (await self._store.rows([self._runtime.addresses.of(row, key)]))[0]
        return None if found is None else from_values(row, found[1])

    async def _has_seen(self, group: str, position: str, within: float) -> bool:
        """A group that is just beginning has no place in the log yet, so the store does not wait for it; we do."""
        end = self._runtime.clock.monotonic() + within
        while group not in self._begun:
            if await self._has_begun(group):
                self._begun.add(group)
            elif (left := end - self._runtime.clock.monotonic()) > 0:
                await self._store.changed(min(left, 0.05))
            else:
                return False
        return await self._store.reached(group, position, max(0.0, end - self._runtime.clock.monotonic()))

    async def _has_begun(self, group: str) -> bool:
        program = self._runtime.program
        topics = next(one.topics for one in program.groups if one.name == group)
        there = sum(p.partition.topic in topics for p in await self._store.progress(group))
        return there >= sum(program.topics[topic].partitions for topic in topics)

    async def find(self, row: type[RowT], where: LiteralString = "", /, **parameters: Any) -> Sequence[RowT]:
        """Rows by your own SQL after the table's name: `find(OrderRow, "where status = :s", s="paid")`."""
        found = await self._store.query(self._runtime.select(row) + where, _bindable(parameters))
        return [from_values(row, values) for values in found]

    async def query(self, into: type[T], sql: LiteralString, /, **parameters: Any) -> Sequence[T]:
        """Any SELECT; its columns, in order, fill the fields of a struct or dataclass."""
        found = await self._store.query(sql, _bindable(parameters))
        names = [f.encode_name for f in msgspec.structs.fields(into)] if issubclass(into, msgspec.Struct) else None
        if names is None:
            names = list(getattr(into, "__dataclass_fields__", {}))
        return [msgspec.convert(dict(zip(names, values, strict=True)), into, strict=False) for values in found]

    async def load(
        self, aggregate: type[A], key: object, /, *, version: int | None = None, at: datetime | None = None
    ) -> A:
        """The aggregate now, at a version (0: before its first event), or at a time."""
        kind = self._stream(aggregate)
        address = self._runtime.addresses.of(aggregate, key)
        if at is not None:
            whole = (await self._store.load([address]))[0]
            until = to_micro(at)
            early = [e for e in whole.events if unpack(e.head).time <= until]
            state: Any = kind.folded(msgspec.structs.replace(whole, events=early))
            return state  # type: ignore[no-any-return]
        history = (await self._store.load([address], kind.fingerprint, version))[0]
        state = kind.folded(history)
        if version is None and history.version:
            await kind.settled([(address, history.version, state)])
        return state  # type: ignore[no-any-return]

    async def history(self, aggregate: type[Aggregate], key: object, /) -> Sequence[Recorded]:
        """Every event of the stream, oldest first, in the newest version of its type."""
        self._stream(aggregate)
        history = (await self._store.load([self._runtime.addresses.of(aggregate, key)]))[0]
        found = []
        for stored in history.events:
            head = unpack(stored.head)
            event = self._runtime.codecs[head.name].decode(head.version, stored.data)
            cause = show(head.causation) if head.causation else None
            found.append(
                Recorded(event, show(head.id), stored.version, from_micro(head.time), cause, show(head.correlation))
            )
        return found

    def _stream(self, aggregate: type[Aggregate]) -> StreamKind:
        kind = self._runtime.streams.get(aggregate)
        if kind is None:
            raise DefinitionError(f"no service of this system keeps {aggregate.__name__} as an aggregate", hint=STREAMS)
        return kind

    async def wait_idle(self, within: timedelta = seconds(30)) -> None:
        """Until every group that runs here (or anywhere, if none does) has handled what is in the log, and no retry,
        due timer or saga of theirs is open. Raises Stale, naming what is still open."""
        await wait_idle(self._runtime, _span(within))


def _span(within: timedelta) -> float:
    """Seconds. A bare number has no unit: it is refused."""
    if not isinstance(within, timedelta):
        raise DefinitionError(f"within={within!r} is no duration", hint="within=seconds(5)")
    return within.total_seconds()


def _bindable(parameters: dict[str, Any]) -> dict[str, Any]:
    return {n: v if isinstance(v, (int, float, bytes, type(None))) else key_text(v) for n, v in parameters.items()}


__all__ = ["Client", "Receipt", "Recorded"]
