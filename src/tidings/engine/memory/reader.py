"""One member's seat in one group, and its place in each of its partitions.

A place is three things: what was looked at (`at`), what the member was told of (`told`), and the claim's epoch. They
part on quiet partitions: nothing is found there, yet progress must follow, or a restart reads the whole log again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tidings.engine.memory.tables import LogTables
from tidings.engine.port import Change
from tidings.engine.seats import spread
from tidings.engine.unit import Batch, Claim, Partition, Record
from tidings.engine.wake import Wake

QUIET = 1000  # progress of a partition without records is handed on after so many records of others


class Records(Protocol):
    """What a reader needs of its log."""

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
        while True:
            ticket = self._log.wake.ticket()
            members = sorted(self._log.t.seats[self._group])
            before, self._wish = self._wish, spread(self._partitions, members).get(self._member, frozenset())
            if self._wish != before:
                return Change(gain=self._wish - before, drain=before - self._wish)
            await self._log.wake.wait(ticket)

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
        self._log.t.seats[self._group].discard(self._member)
        self._log.wake.call()
