"""A handler becomes a runner: its parameters are found by type, what it returns becomes a decision.

    inline    a plain def: called at once
    awaited   an async def
    thread    a plain def marked `blocking`
A transactional handler (it takes a Transaction) is decided inline, but runs inside the commit, on the engine's thread.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from typing import Any

from tidings.clock import from_micro
from tidings.delivery.decision import Decision, Kind
from tidings.delivery.policy import Delivery, Retry
from tidings.delivery.session import Look
from tidings.delivery.subscription import Arrival, Mode
from tidings.domain.effects import Effects, Shape
from tidings.domain.rows import LoadedRows, default_row
from tidings.domain.signature import Handler, Param
from tidings.domain.state import Aggregate, Row
from tidings.engine.port import Store
from tidings.engine.unit import Address, Inner, Inside, Transaction
from tidings.errors import Missing, Rejected
from tidings.event.envelope import Head, traceparent
from tidings.event.identity import show

Argument = Callable[[Arrival, Look], Any]
NOTHING: Mapping[Address, Kind] = {}


class HandlerRunner:
    """Runs one handler of one group."""

    def __init__(
        self,
        handler: Handler,
        group: str,
        kinds: Mapping[type, Kind],
        resources: Mapping[type, object],
        effects: Effects,
        store: Store,
        pool: Executor,
        retry: Retry,
        now: Callable[[], int],
    ) -> None:
        self.handler, self.group, self.kinds, self.effects = handler, group, kinds, effects
        self.shape = Shape(handler)
        self.retry = handler.retry or retry
        self.mode: Mode = "thread" if handler.blocking else "awaited" if handler.is_async else "inline"
        self.keeps = handler.transactional or bool(handler.writes)
        self._store, self._pool, self._resources, self._now = store, pool, resources, now
        self._transactional, self._function = handler.transactional, handler.function
        self._states = [p for p in handler.params if p.kind == "state"]
        self._arguments = [self._argument(p) for p in handler.params if p.kind != "transaction"]
        self._place = next((n for n, p in enumerate(handler.params) if p.kind == "transaction"), 0)

    # ---- what a handler is handed ----

    def needs(self, message: Any, head: Head) -> Mapping[Address, Kind]:
        return {self._address(p, message): self.kinds[p.type] for p in self._states} if self._states else NOTHING

    def _address(self, param: Param, message: Any) -> Address:
        return self.effects.addresses.of(param.type, param.find(message))

    def _argument(self, param: Param) -> Argument:
        match param.kind:
            case "state":
                return self._aggregate(param) if issubclass(param.type, Aggregate) else self._row(param)
            case "rows":
                kind, space = self.kinds[param.type], self.effects.addresses.space(param.type)
                return lambda arrival, look: LoadedRows(space, kind, look, self._store)
            case "delivery":
                return self._delivery
            case _:
                resource = self._resources[param.type]
                return lambda arrival, look: resource

    def _aggregate(self, param: Param) -> Argument:
        return lambda arrival, look: look.see(self._address(param, arrival.message))

    def _row(self, param: Param) -> Argument:
        make = default_row(param.type)

        def found(arrival: Arrival, look: Look) -> Row | None:
            address = self._address(param, arrival.message)
            row: Row | None = look.see(address)
            if row is not None or param.optional:
                return row
            if make is None:
                raise Missing(
                    f"{self.handler.name} needs {param.type.__name__} {address.key!r}, which is not there",
                    hint=f"annotate it `{param.type.__name__} | None` if it may be missing, or give it defaults",
                )
            row = make(param.find(arrival.message))
            look.put(address, row)
            return row

        return found

    def _delivery(self, arrival: Arrival, look: Look) -> Delivery:
        head = arrival.head
        name = f"{self.group}/{self.handler.name}/".encode()
        return Delivery(
            id=show(head.id),
            time=from_micro(head.time),
            now=from_micro(self._now()),
            attempt=arrival.attempt,
            idempotency_key=hashlib.blake2b(name + head.id, digest_size=16).hexdigest(),
            correlation_id=show(head.correlation),
            causation_id=show(head.causation) if head.causation else "",
            traceparent=traceparent(head),
            replayed=arrival.muted,
        )

    # ---- running ----

    def run(self, arrival: Arrival, look: Look) -> Decision | Awaitable[Decision]:
        if self._transactional:
            return self._inside(arrival, look)
        if self.mode != "inline":
            return self._awaited(arrival, look)
        try:
            if self._arguments:
                result = self._function(arrival.message, *[a(arrival, look) for a in self._arguments])
            else:
                result = self._function(arrival.message)
        except Rejected as no:
            return self._rejected(arrival, look, no)
        return self.effects.decision(self.shape, arrival, look, result)

    async def _awaited(self, arrival: Arrival, look: Look) -> Decision:
        arguments = [a(arrival, look) for a in self._arguments]
        try:
            if self.mode == "thread":
                loop = asyncio.get_running_loop()
                result = await loop.run_in_executor(self._pool, self.handler.function, arrival.message, *arguments)
            else:
                result = await self.handler.function(arrival.message, *arguments)
        except Rejected as no:
            return self._rejected(arrival, look, no)
        return self._decided(arrival, look, result)

    def _decided(self, arrival: Arrival, look: Look, result: Any) -> Decision:
        return self.effects.decision(self.shape, arrival, look, result)

    def _rejected(self, arrival: Arrival, look: Look, no: Rejected) -> Decision:
        return self.effects.rejected(arrival, look, no)

    def _inside(self, arrival: Arrival, look: Look) -> Decision:
        arguments = [a(arrival, look) for a in self._arguments]
        raised: list[BaseException] = []

        def run(tx: Transaction) -> Inner:
            try:
                given = [*arguments[: self._place], tx, *arguments[self._place :]]
                told = self._decided(arrival, look, self.handler.function(arrival.message, *given))
            except BaseException as error:
                raised.append(error)
                raise
            return Inner(told.events, told.once)

        decision = Decision(reads=look.reads, inside=Inside(arrival.number, run), raised=raised)
        decision.refuse = lambda no: self._rejected(arrival, look, no)
        return decision
