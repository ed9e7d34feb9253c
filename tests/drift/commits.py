"""Commits: one statement each. Units with steps go through one pump, in order, together; others go at once.

packed -> commit_units -> answers      a deadlock runs again; a lost connection is Unknown; an error of one unit's own
                                       is found by handing the units in one by one
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg
from msgspec import structs

from tests.drift.catalog import Catalog
from tests.drift.connections import Connections, closed
from tests.drift.packing import COMMIT, Packer
from tidings.clock import Clock
from tidings.engine.unit import Address, Answer, Committed, Conflict, Failed, Fenced, Partition, Unit, Unknown
from tidings.errors import Refused

PARAMETER = re.compile(r"(?<!:):([a-zA-Z_]\w*)")
ENDING = ("abort", "begin", "commit", "end", "prepare", "release", "rollback", "savepoint", "start")


class Commits:
    def __init__(self, connections: Connections, catalog: Catalog, clock: Clock) -> None:
        self._connections, self._catalog, self._clock = connections, catalog, clock
        self._waiting: list[tuple[Sequence[Unit], asyncio.Future[Sequence[Answer]]]] = []
        self._pumping: asyncio.Task[None] | None = None

    async def commit(self, units: Sequence[Unit]) -> Sequence[Answer]:
        if self._connections.closed:
            raise closed()
        await self._know(units)
        if not any(unit.steps or unit.inside for unit in units):
            return await self._together(units)
        future: asyncio.Future[Sequence[Answer]] = asyncio.get_running_loop().create_future()
        self._waiting.append((units, future))
        if self._pumping is None:
            self._pumping = asyncio.create_task(self._pump())
        return await future

    async def _know(self, units: Sequence[Unit]) -> None:
        """What another process declared is learnt before it is missed."""
        topics = {event.topic for unit in units for event in unit.events if event.topic is not None}
        tables = {write.address.space for unit in units for write in unit.writes}
        if not (topics <= self._catalog.topics.keys() and tables <= self._catalog.columns.keys()):
            await self._catalog.refresh()

    async def _pump(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting, []
            try:
                answers = list(await self._together([unit for units, _ in taken for unit in units]))
            except Exception as error:  # noqa: BLE001 -- every caller is told
                for _, future in taken:
                    if not future.done():
                        future.set_exception(error)
                continue
            for units, future in taken:
                mine, answers = answers[: len(units)], answers[len(units) :]
                if not future.done():
                    future.set_result(mine)
        self._pumping = None

    async def settle(self) -> None:
        """Until nothing is in flight."""
        if self._pumping is not None:
            await asyncio.wait([self._pumping])

    async def _together(self, units: Sequence[Unit]) -> list[Answer]:
        reasons = {n: reason for n, unit in enumerate(units) if (reason := self._catalog.impossible(unit))}
        if reasons or (len(units) > 1 and any(unit.inside for unit in units)):
            return [
                Failed(reasons[n]) if n in reasons else (await self._together([unit]))[0]
                for n, unit in enumerate(units)
            ]
        if any(unit.inside for unit in units):
            answer = await asyncio.to_thread(self._inside, units[0])
            self._connections.told()
            return [answer]
        while True:
            try:
                async with self._connections.one() as c:
                    row = await (await c.execute(COMMIT, self._arguments(units))).fetchone()
                self._connections.told()
                return self._answers(units, row)
            except psycopg.errors.DeadlockDetected:
                continue
            except psycopg.OperationalError as error:
                return [Unknown(repr(error)) for _ in units]
            except psycopg.Error as error:
                if len(units) == 1:
                    return [Failed(repr(error))]
                return [(await self._together([unit]))[0] for unit in units]

    def _arguments(self, units: Sequence[Unit], *, dry: bool = False) -> tuple[Any, ...]:
        packer = Packer(self._catalog.tps.__getitem__, self._catalog.columns)
        return packer.arguments(units, self._clock.now(), dry=dry)

    # ---- inside ----

    def _inside(self, unit: Unit) -> Answer:
        """On a thread. The client keeps the transaction open, so it has a deadline below any lease."""
        with psycopg.connect(self._connections.url, options=self._connections.options) as c:
            deadline = f"{max(inside.deadline for inside in unit.inside)}s"
            c.execute("select set_config('idle_in_transaction_session_timeout', %s, true)", [deadline])
            answer = self._answers([unit], c.execute(COMMIT, self._arguments([unit], dry=True)).fetchone())[0]
            if not isinstance(answer, Committed):
                return answer
            events, marks = list(unit.events), list(unit.once)
            for inside in unit.inside:
                try:
                    inner = inside.run(Transaction(c))
                except Exception as error:  # noqa: BLE001 -- whatever a user's handler raises is an answer
                    c.rollback()
                    return Failed(repr(error), inside.cause)
                shift = len(events)
                events += inner.events
                marks += [structs.replace(once, tells=[shift + n for n in once.tells]) for once in inner.once]
            whole = structs.replace(unit, events=events, once=marks)
            reason = self._catalog.impossible(whole)
            answer = Failed(reason) if reason else self._last(c, whole)
            if not isinstance(answer, Committed):
                c.rollback()
            return answer

    def _last(self, c: psycopg.Connection[Any], unit: Unit) -> Answer:
        try:
            return self._answers([unit], c.execute(COMMIT, self._arguments([unit])).fetchone())[0]
        except psycopg.Error as error:
            return Failed(repr(error))

    # ---- answers ----

    def _answers(self, units: Sequence[Unit], row: Sequence[Any] | None) -> list[Answer]:
        assert row is not None
        positions = iter(row[0]["positions"] or ())
        answers = []
        for unit, found in zip(units, row[0]["answers"], strict=True):
            places = [[e.topic, e.partition, p] for e in unit.events if (p := next(positions, None)) is not None]
            answers.append(self._answer(unit, found, places))
        return answers

    def _answer(self, unit: Unit, found: Mapping[str, Any], places: Iterable[Any]) -> Answer:
        parts = self._catalog.parts
        if "fenced" in found:
            return Fenced([parts[tp] for tp in found["fenced"]])
        if "states" in found:
            seen = {bytes.fromhex(name): bytes.fromhex(memo) for name, memo in found["seen"].items()}
            held: list[Partition] = [parts[tp] for tp in found["held"]]
            return Conflict([Address(*state) for state in found["states"]], held, seen, found["gone"])
        if "again" in found:
            return Committed(again=True)
        return Committed(found.get("version", 0), json.dumps(list(places)) if unit.receipt else "")


class Transaction:
    """What a transactional handler may use of the connection."""

    def __init__(self, c: psycopg.Connection[Any]) -> None:
        self._c = c

    def execute(self, sql: str, parameters: Mapping[str, Any] = {}, /) -> Sequence[Sequence[Any]]:
        if sql.lstrip().split(None, 1)[0].lower().rstrip(";") in ENDING:
            raise Refused("a handler may not end the transaction", hint="return, or raise")
        cursor = self._c.execute(named(sql), dict(parameters))
        return cursor.fetchall() if cursor.description else []


def named(sql: str) -> bytes:
    """:name as psycopg writes it."""
    return PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%")).encode()
