"""One member's seat in one group, and its place in each of its partitions.

A seat is kept while its `change` is awaited, and `LEASE` seconds beyond: a member that died or froze does not await it.

A place is three things: what was looked at (`at`), what the member was told of (`told`), and the claim's epoch. They
part on quiet partitions: nothing is found there, yet progress must follow, or a restart reads the whole log again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tidings.clock import Clock
from tidings.engine.memory.tables import LogTables, Seat
from tidings.engine.port import Change
from tidings.engine.seats import spread
from tidings.engine.unit import Batch, Claim, Partition, Record
from tidings.engine.wake import Wake

LEASE = 5.0  # seconds
QUIET = 1000  # progress of a partition without records is handed on after so many records of others


class Records(Protocol):
    """What a reader needs of its log."""

    clock: Clock
    wake: Wake

    @property
    def t(self) -> LogTables: ...

    def scan(
        self, start: Mapping[Partition, int], limit: int, size: int
    ) -> tuple[dict[Partition, list[Record]], int]: ...


@dataclass
class Place:
    epoch: int
    at: int
    told: int


class MemoryReader:
    def __init__(self, log: Records, group: str, partitions: Sequence[Partition], member: str) -> None:
        self._log, self._group, self._partitions, self._member = log, group, partitions, member
        self._wish: frozenset[Partition] = frozenset()
        self._places: dict[Partition, Place] = {}
        self._paused: set[Partition] = set()

    async def change(self) -> Change:
        seat = self._log.t.seats[self._group].setdefault(self._member, Seat())
        seat.awaited += 1
        try:
            while True:
                ticket = self._log.wake.ticket()
                members, until = self._live(self._log.t.seats[self._group])
                before, self._wish = self._wish, spread(self._partitions, members).get(self._member, frozenset())
                if self._wish != before:
                    return Change(gain=self._wish - before, drain=before - self._wish)
                await self._log.wake.wait(ticket, until)
        finally:
            seat.awaited -= 1
            seat.left = self._log.clock.monotonic()
            self._log.wake.call()  # the others watch this seat's lease from now on

    def _live(self, seats: Mapping[str, Seat]) -> tuple[list[str], float | None]:
        """Who is there, and in how many seconds the next lease ends, if one runs."""
        now = self._log.clock.monotonic()
        live = {name: seat for name, seat in seats.items() if alive(seat, now)}
        ends = [seat.left + LEASE - now for seat in live.values() if not seat.awaited]
        return sorted(live), min(ends, default=None)

    def start(self, claims: Sequence[Claim]) -> None:
        self._places |= {c.partition: Place(c.epoch, c.next, c.next) for c in claims}
        self._log.wake.call()

    def stop(self, partitions: Sequence[Partition]) -> None:
        for part in partitions:
            self._places.pop(part, None)
            self._paused.discard(part)

    def pause(self, partitions: Sequence[Partition], paused: bool, /) -> None:
        (self._paused.update if paused else self._paused.difference_update)(partitions)
        self._log.wake.call()

    def done(self, partitions: Sequence[Partition]) -> None:
        self.stop(partitions)

    async def fetch(self, limit: int, size: int = 8 << 20) -> Sequence[Batch]:
        while True:
            ticket = self._log.wake.ticket()
            batches = self._look(limit, size)
            if batches:
                return batches
            await self._log.wake.wait(ticket)

    def _look(self, limit: int, size: int) -> list[Batch]:
        places = {part: place for part, place in self._places.items() if part not in self._paused}
        found, end = self._log.scan({part: place.at for part, place in places.items()}, limit, size)
        batches = []
        for part, place in places.items():
            place.at = max(place.at, end)
            if part in found or place.at - place.told >= QUIET:
                place.told = place.at
                batches.append(Batch(part, place.epoch, found.get(part, ()), place.at))
        return batches

    async def leave(self) -> None:
        self._log.t.seats[self._group].pop(self._member, None)
        self._log.wake.call()


def alive(seat: Seat, now: float) -> bool:
    """`now`: seconds of the clock."""
    return bool(seat.awaited) or now - seat.left < LEASE
