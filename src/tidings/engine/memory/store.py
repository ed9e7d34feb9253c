"""The store: commits, states, receipts, and what was done, for people. Groups are in the file beside it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from tidings.clock import MICRO, Clock
from tidings.engine.ages import Ages
from tidings.engine.memory.commit import commit, handled, no_sql
from tidings.engine.memory.groups import Groups
from tidings.engine.memory.log import MemoryLog
from tidings.engine.memory.tables import StoreTables, closed
from tidings.engine.port import Table
from tidings.engine.unit import (
    Address,
    Answer,
    Handling,
    History,
    Memo,
    Note,
    Partition,
    Snapshot,
    Unit,
    Value,
)
from tidings.engine.wake import Wake
from tidings.errors import Refused

T = TypeVar("T")


class MemoryStore(Groups):
    def __init__(self, tables: StoreTables, log: MemoryLog, split: bool, clock: Clock, wake: Wake, ages: Ages) -> None:
        super().__init__(tables, clock, wake)
        self._log, self._split, self._ages = log, split, ages
        self._changed = wake.ticket()

    async def now(self) -> int:
        return self._clock.now()

    async def commit(self, units: Sequence[Unit]) -> Sequence[Answer]:
        answers = [commit(self.t, self._log, self._split, unit, self._clock.now()) for unit in units]
        self.wake.call()
        return answers

    # ---- state ----

    async def load(
        self, addresses: Sequence[Address], fingerprint: str = "", to: int | None = None
    ) -> Sequence[History]:
        found = []
        for address in addresses:
            events = self.t.streams.get(address, [])
            _, snapshot = self.t.snapshots.get((address, fingerprint), (0, None))
            if snapshot is None or snapshot.version > (len(events) if to is None else to):
                found.append(History(address, len(events), events[:to]))
            else:
                kept = (snapshot.version, snapshot.data)
                found.append(History(address, len(events), events[snapshot.version : to], kept))
        return found

    async def keep(self, snapshots: Sequence[Snapshot]) -> None:
        for snapshot in snapshots:
            _, old = self.t.snapshots.get((snapshot.address, snapshot.fingerprint), (0, None))
            if old is None or old.version < snapshot.version:
                self.t.snapshots[snapshot.address, snapshot.fingerprint] = (self._clock.now(), snapshot)

    async def streams(self, space: str, after: str, limit: int) -> Sequence[tuple[str, int]]:
        found = ((a.key, len(events)) for a, events in self.t.streams.items() if a.space == space and a.key > after)
        return sorted(found)[:limit]

    async def spaces(self) -> Sequence[str]:
        return sorted({address.space for address, events in self.t.streams.items() if events})

    async def tables(self, tables: Sequence[Table]) -> None:
        for table in tables:
            old = self.t.tables.get(table.name, table)
            if list(map(tuple, old.columns)) != list(map(tuple, table.columns)):
                raise Refused(
                    f"table {table.name!r}: stored with {_columns(old)}, declared with {_columns(table)}",
                    hint="give the changed rows a table of another name, and rebuild it from the events",
                )
        self.t.tables.update({table.name: table for table in tables})

    async def rows(self, addresses: Sequence[Address]) -> Sequence[tuple[int, Sequence[Value]] | None]:
        for space in {address.space for address in addresses}:
            self.t.table(space)
        return [self.t.rows.get(address) for address in addresses]

    async def page(self, space: str, after: str, limit: int) -> Sequence[tuple[int, Sequence[Value]]]:
        name = self.t.table(space).name
        found = sorted((a.key, row) for a, row in self.t.rows.items() if a.space == name and a.key > after)
        return [row for _, row in found[:limit]]

    async def script(self, name: str, sql: str) -> Sequence[str]:
        raise no_sql()

    async def query(self, sql: str, parameters: Mapping[str, Value]) -> Sequence[Sequence[Any]]:
        raise no_sql()

    # ---- waiting ----

    async def reached(self, group: str, receipt: str, within: float) -> bool:
        return bool(await self._until(lambda: handled(self.t, group, receipt), within))

    async def memo(self, scope: str, id: bytes, within: float = 0.0) -> Memo | None:
        return await self._until(lambda: self.t.once.get((scope, id)), within)

    async def _until(self, look: Callable[[], T], within: float) -> T:
        """What the look finds as soon as it is something, or nothing when the time is over."""
        end = self._clock.monotonic() + within
        while True:
            ticket = self.wake.ticket()
            found = look()
            left = end - self._clock.monotonic()
            if found or left <= 0:
                return found
            await self.wake.wait(ticket, left)

    def changed(self, within: float | None = None) -> Coroutine[Any, Any, None]:
        """The call takes the wake, not the await: `news = store.changed()`, then a look, then `await news`."""
        ticket = self._changed

        async def wait() -> None:
            await self.wake.wait(ticket, within)
            self._changed = self.wake.ticket()
            if self._tables.closed:
                raise closed()

        return wait()

    # ---- what was done, for people ----

    async def tallies(self, group: str) -> Mapping[str, int]:
        return dict(self.t.tallies.get(group, {}))

    async def notes(self, group: str | None, limit: int) -> Sequence[Note]:
        newest = (note for note in reversed(self.t.notes.values()) if group in (None, note.group))
        return list(islice(newest, limit))

    async def handled(self, partition: Partition, offset: int) -> Sequence[Handling]:
        found = [h for h in self.t.ledger.values() if h.partition == partition and h.first <= offset < h.next]
        return sorted(found, key=lambda h: h.group)

    async def ledger(self, group: str, after: int, limit: int) -> Sequence[tuple[int, Handling]]:
        lines = ((number, line) for number, line in self.t.ledger.items() if number > after and line.group == group)
        return list(islice(lines, limit))

    async def purge(self, limit: int) -> int:
        t, ages = self.t, self._ages
        left = limit
        left -= self._age(t.once, {key: memo.time for key, memo in t.once.items()}, ages.once, left)
        left -= self._age(t.notes, {key: note.time for key, note in t.notes.items()}, ages.notes, left)
        left -= self._age(t.snapshots, {key: kept[0] for key, kept in t.snapshots.items()}, ages.snapshots, left)
        left -= self._age(t.sent, {key: place[0] for key, place in t.sent.items()}, ages.receipts, left)
        left -= self._age(t.ledger, {n: line.time for n, line in t.ledger.items()}, ages.handled, left)
        return limit - left

    def _age(self, kept: dict[Any, Any], times: Mapping[Any, int], age: float, limit: int) -> int:
        before = self._clock.now() - int(age * MICRO)
        old = [key for key, time in times.items() if time < before][:limit]
        for key in old:
            del kept[key]
        return len(old)


def _columns(table: Table) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in table.columns)
