"""Commits: one call of one function each, one round trip, whatever units wait.

    units with steps or handlers   one lane, in the order they were handed in: chains of steps stay chains
    all others                     as many lanes as `LANES`: those that wait together go together

The client never holds a transaction open here. A deadlock runs again. An error of one unit's own is found by handing
the units in one by one. Where the connection is lost nobody knows: Unknown, and the connection is thrown away. Where a
server says that it is full or only reads, nothing was kept: Unavailable or Refused is raised to every caller.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import psycopg

from tidings import signals
from tidings.engine.postgres.core import Core
from tidings.engine.postgres.inside import Runner
from tidings.engine.postgres.packing import arguments
from tidings.engine.postgres.pool import closed
from tidings.engine.postgres.sql import SQL
from tidings.engine.postgres.translate import AGAIN, SERVERS, is_lost, translated
from tidings.engine.unit import Address, Answer, Committed, Conflict, Failed, Fenced, Unit, Unknown
from tidings.errors import EngineError, Refused

LANES = 4
MOST = 2000  # units of one call
ROOM = "no partition of relation"  # how the server says that the log needs its next table
Waiting: TypeAlias = tuple[Sequence[Unit], "asyncio.Future[Sequence[Answer]]"]


class Lane:
    """What waits for the next call, and the tasks that make the calls."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.waiting: list[Waiting] = []
        self.tasks: set[asyncio.Task[None]] = set()


class Commits:
    def __init__(self, core: Core, runner: Runner) -> None:
        self._core, self._runner = core, runner
        self._ordered, self._free = Lane(1), Lane(LANES)

    async def commit(self, units: Sequence[Unit]) -> Sequence[Answer]:
        if self._core.closed:
            raise closed()
        await self._know(units)
        lane = self._ordered if any(unit.steps or unit.inside for unit in units) else self._free
        future: asyncio.Future[Sequence[Answer]] = asyncio.get_running_loop().create_future()
        lane.waiting.append((units, future))
        if len(lane.tasks) < lane.most:
            lane.tasks.add(asyncio.create_task(self._pump(lane)))
        return await future

    async def settle(self, within: float) -> None:
        """Until nothing is in flight, that long."""
        tasks = self._ordered.tasks | self._free.tasks
        if tasks:
            await asyncio.wait(tasks, timeout=within)

    async def _know(self, units: Sequence[Unit]) -> None:
        """What another process declared is learnt before it is missed."""
        topics = {event.topic for unit in units for event in unit.events if event.topic is not None}
        topics |= {step.partition.topic for unit in units for step in unit.steps}
        tables = {write.address.space for unit in units for write in unit.writes}
        catalog = self._core.catalog
        if not (topics <= catalog.topics.keys() and tables <= catalog.tables.keys()):
            await self._core.refresh()

    async def _pump(self, lane: Lane) -> None:
        while lane.waiting:
            taken = _taken(lane.waiting)
            try:
                answers = await self._together([unit for units, _ in taken for unit in units])
            except Exception as error:  # noqa: BLE001 -- every caller is told
                for _, future in taken:
                    if not future.done():
                        future.set_exception(error)
                continue
            for units, future in taken:
                mine, answers = answers[: len(units)], answers[len(units) :]
                if not future.done():
                    future.set_result(mine)
        task = asyncio.current_task()
        assert task is not None
        lane.tasks.discard(task)  # in the same step in which it saw that nothing waits

    # ---- one call ----

    async def _together(self, units: Sequence[Unit]) -> list[Answer]:
        reasons = {n: reason for n, unit in enumerate(units) if (reason := impossible(self._core, unit))}
        if reasons or (len(units) > 1 and any(unit.inside for unit in units)):
            return await self._runs(units, reasons)
        if any(unit.inside for unit in units):
            answer = await self._runner.commit(units[0])
            self._core.waking.told()
            return [answer]
        return await self._call(units)

    async def _runs(self, units: Sequence[Unit], reasons: Mapping[int, str]) -> list[Answer]:
        """Those between the units that go alone go together."""
        answers: list[Answer] = []
        run_: list[Unit] = []
        for n, unit in enumerate(units):
            if n not in reasons and not unit.inside:
                run_.append(unit)
                continue
            if run_:
                answers += await self._guarded(run_)
                run_ = []
            answers += [Failed(reasons[n])] if n in reasons else await self._guarded([unit])
        return answers + (await self._guarded(run_) if run_ else [])

    async def _guarded(self, units: Sequence[Unit]) -> list[Answer]:
        """Some before them may be committed already, so nothing may be raised any more."""
        try:
            return await self._together(units)
        except EngineError as error:
            return [Unknown(str(error)) for _ in units]

    async def _call(self, units: Sequence[Unit]) -> list[Answer]:
        while True:
            try:
                row = await self._execute(units)
            except AGAIN:
                continue
            except psycopg.errors.CheckViolation as error:
                if ROOM not in str(error):
                    return await self._apart(units, error)
                await self._core.pool.all("grow")
                continue
            except SERVERS as error:
                raise translated(error) from error
            except psycopg.Error as error:
                return await self._apart(units, error)
            if isinstance(row, Unknown):
                return [row for _ in units]
            signals.reached("postgres.committed")
            self._core.waking.told()
            return answers_of(self._core, units, row)

    async def _execute(self, units: Sequence[Unit]) -> Sequence[Any] | Unknown:
        core = self._core
        async with core.pool.raw() as c:
            values = arguments(core.catalog, units, core.clock.now())
            signals.reached("postgres.begun")
            try:
                cursor = await c.execute(SQL["commit"], values, binary=True, prepare=True)
                rows: list[Sequence[Any]] = await cursor.fetchall()
                return rows[0]
            except psycopg.Error as error:
                if is_lost(error, c):
                    return Unknown(f"the connection was lost in the commit: {error}")
                raise

    async def _apart(self, units: Sequence[Unit], error: Exception) -> list[Answer]:
        """The transaction of all was rolled back: one of them is impossible."""
        if len(units) == 1:
            return [Failed(_words(error))]
        answers: list[Answer] = []
        for unit in units:
            answers += await self._guarded([unit])
        return answers


def _taken(waiting: list[Waiting]) -> list[Waiting]:
    """The next ones, about `MOST` units."""
    count = n = 0
    while n < len(waiting) and (not n or count + len(waiting[n][0]) <= MOST):
        count += len(waiting[n][0])
        n += 1
    taken = waiting[:n]
    del waiting[:n]
    return taken


def impossible(core: Core, unit: Unit) -> str:
    """Why the function could not even be called with this unit; "" if it can."""
    catalog = core.catalog
    for event in unit.events:
        if event.topic is not None and event.partition not in catalog.tps.get(event.topic, ()):
            return f"no partition {event.topic}/{event.partition} was declared"
    try:
        for part in (
            *(s.partition for s in unit.steps), *(h.partition for h in unit.hold), *(p for p, _ in unit.finish),
            *(t.partition for t in unit.timers), *(n.partition for n in unit.notes),
        ):  # fmt: skip
            catalog.tp(part)
        for write in unit.writes:
            table = catalog.table(write.address.space)
            if write.values is not None and len(write.values) != len(table.columns):
                return f"table {table.name!r} has {len(table.columns)} columns, the row has {len(write.values)}"
    except Refused as refused:
        return refused.message
    return ""


def _words(error: Exception) -> str:
    return str(error).strip() or repr(error)


# ---- answers ----


def answers_of(core: Core, units: Sequence[Unit], row: Sequence[Any]) -> list[Answer]:
    found, positions = row
    answers: list[Answer] = []
    first = 0
    for n, unit in enumerate(units):
        mine = positions[first : first + len(unit.events)] if positions else ()
        first += len(unit.events)
        answers.append(_answer(core, unit, found.get(str(n)), mine))
    return answers


PLAIN = Committed()


def _answer(core: Core, unit: Unit, found: Mapping[str, Any] | None, positions: Sequence[int | None]) -> Answer:
    parts = core.catalog.parts
    if found is None:
        return Committed(receipt=_receipt(unit, positions)) if unit.receipt else PLAIN
    if "fenced" in found:
        return Fenced([parts[tp] for tp in found["fenced"]])
    if "states" in found:
        seen = {bytes.fromhex(name): bytes.fromhex(memo) for name, memo in found["seen"].items()}
        return Conflict(
            [Address(*state) for state in found["states"]], [parts[tp] for tp in found["held"]], seen, found["gone"]
        )
    if "again" in found:
        return Committed(again=True)
    return Committed(found["version"], _receipt(unit, positions) if unit.receipt else "")


def _receipt(unit: Unit, positions: Sequence[int | None]) -> str:
    """What to wait for: [[topic, partition, [offset, ...]], ...]."""
    places: dict[tuple[str, int], list[int]] = {}
    for event, position in zip(unit.events, positions, strict=True):
        if event.topic is not None and position is not None:
            places.setdefault((event.topic, event.partition), []).append(position)
    return json.dumps([[*part, offsets] for part, offsets in places.items()])
