"""One member's seat, by a heartbeat row; and its stream of records, by a cursor through the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tests.drift.catalog import Catalog
from tests.drift.connections import Connections, closed
from tidings.clock import MICRO, Clock
from tidings.engine.port import Change
from tidings.engine.seats import spread
from tidings.engine.unit import Batch, Claim, Partition, Record
from tidings.engine.wake import Wake

BEAT, LEASE = 1.0, 5.0  # seconds
FLOOR = 1.0
QUIET = 1000  # positions without a record of a partition, after which its progress is handed on all the same


class Records(Protocol):
    """What a reader needs of its log."""

    connections: Connections
    catalog: Catalog
    clock: Clock
    wake: Wake
    seats: set[tuple[str, str]]

    async def scan(
        self, start: Mapping[Partition, int], cursor: int, limit: int, size: int
    ) -> tuple[dict[Partition, list[Record]], int]: ...


@dataclass
class Place:
    epoch: int
    told: int


class PgReader:
    def __init__(self, log: Records, group: str, partitions: Sequence[Partition], member: str) -> None:
        self._log, self._group, self._partitions, self._member = log, group, partitions, member
        self._wish: frozenset[Partition] = frozenset()
        self._beaten = 0.0
        self._places: dict[Partition, Place] = {}
        self._paused: set[Partition] = set()
        self._cursor = 0
        self._sought = 0  # how often places changed: what was scanned meanwhile is thrown away

    # ---- the seat ----

    async def beat(self) -> None:
        now = self._log.clock.now()
        await self._log.connections.all("beat", group=self._group, member=self._member, now=now)
        self._log.seats.add((self._group, self._member))
        self._beaten = self._log.clock.monotonic()
        self._log.connections.told()

    async def change(self) -> Change:
        log = self._log
        while True:
            ticket = log.wake.ticket()
            if log.clock.monotonic() - self._beaten >= BEAT:
                await self.beat()
            since = log.clock.now() - int(LEASE * MICRO)
            rows = await log.connections.all("members", group=self._group)
            living = sorted({self._member} | {member for _, member, beat in rows if beat > since})
            before, self._wish = self._wish, spread(self._partitions, living).get(self._member, frozenset())
            if self._wish != before:
                return Change(gain=self._wish - before, drain=before - self._wish)
            await log.wake.wait(ticket, BEAT)

    async def leave(self) -> None:
        await self._log.connections.all("leave", groups=[self._group], members=[self._member])
        self._log.seats.discard((self._group, self._member))
        self._log.connections.told()

    # ---- places ----

    def start(self, claims: Sequence[Claim]) -> None:
        self._places |= {c.partition: Place(c.epoch, c.next) for c in claims}
        self._seek()

    def stop(self, partitions: Sequence[Partition]) -> None:
        for part in partitions:
            self._places.pop(part, None)
            self._paused.discard(part)
        self._seek()

    def pause(self, partitions: Sequence[Partition], paused: bool, /) -> None:
        (self._paused.update if paused else self._paused.difference_update)(partitions)
        self._seek()

    def done(self, partitions: Sequence[Partition]) -> None:
        self.stop(partitions)

    def _seek(self) -> None:
        """The cursor goes back to the lowest place; what others were told of already is left out again."""
        self._sought += 1
        self._cursor = min((place.told for part, place in self._open().items()), default=0)
        self._log.wake.call()

    def _open(self) -> dict[Partition, Place]:
        return {part: place for part, place in self._places.items() if part not in self._paused}

    # ---- records ----

    async def fetch(self, limit: int, size: int = 8 << 20) -> Sequence[Batch]:
        while True:
            ticket, sought, places = self._log.wake.ticket(), self._sought, self._open()
            if self._log.connections.closed:
                raise closed()
            start = {part: place.told for part, place in places.items()}
            found, end = await self._log.scan(start, self._cursor, limit, size)
            if sought != self._sought:
                continue
            moved, self._cursor = end > self._cursor, end
            batches = []
            for part, place in places.items():
                if part in found or end - place.told >= QUIET:
                    place.told = end
                    batches.append(Batch(part, place.epoch, found.get(part, ()), end))
            if batches:
                return batches
            if not moved:
                await self._log.wake.wait(ticket, FLOOR)
