"""One member's seat in one group, and its stream of records.

Partitions that are read from about the same place share a *lane*: one cursor through the log. Most of the time there is
one lane. A partition that lags far behind (a reset, a takeover after a long stop) gets a lane of its own, so that the
others do not wait while it catches up; lanes take turns, and one that has caught up with another joins it.

    places   tp -> epoch, and the offset that the member was last told of
    lanes    a cursor and its partitions; below the cursor everything was looked at
    ill      a partition with a truncated or damaged record: raised once, then left out until it is started again

Progress of a quiet partition is handed on in an empty batch, or a restart would read the whole log for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tidings.clock import SystemClock
from tidings.engine.port import Change
from tidings.engine.postgres.core import Core
from tidings.engine.postgres.horizon import patience
from tidings.engine.postgres.pool import closed, finished
from tidings.engine.postgres.scan import Found, scan
from tidings.engine.postgres.seats import Seat
from tidings.engine.unit import Batch, Claim, Partition
from tidings.errors import EngineError

QUIET = 1000  # positions without a record of a partition, after which its progress is handed on all the same
TRIES = 12  # looks without a sleep at a horizon that is held
HELD = 0.02  # real seconds between two looks at it afterwards
APART = 10_000  # positions between two places, from which on they are read by lanes of their own


@dataclass
class Place:
    part: Partition
    epoch: int
    at: int


@dataclass
class Lane:
    cursor: int
    tps: set[int] = field(default_factory=set)


class PostgresReader:
    def __init__(self, core: Core, seat: Seat) -> None:
        self._core, self._seat = core, seat
        self._places: dict[int, Place] = {}
        self._paused: set[int] = set()
        self._lanes: deque[Lane] = deque()
        self._ill: deque[EngineError] = deque()
        self._sought = 0  # how often places changed: what was looked for meanwhile is thrown away

    # ---- the seat ----

    async def change(self) -> Change:
        return await self._seat.change()

    async def leave(self) -> None:
        await self._seat.leave()

    def done(self, partitions: Sequence[Partition]) -> None:
        self.stop(partitions)

    # ---- which partitions ----

    def start(self, claims: Sequence[Claim]) -> None:
        tps = {self._core.catalog.tp(c.partition): c for c in claims}
        self._take_out(tps)
        for tp, claim in tps.items():
            self._places[tp] = Place(claim.partition, claim.epoch, claim.next)
        self._put_in([tp for tp in tps if tp not in self._paused])

    def stop(self, partitions: Sequence[Partition]) -> None:
        tps = [self._core.catalog.tp(p) for p in partitions]
        self._take_out(tps)
        self._paused.difference_update(tps)  # a pause ends with the claim
        for tp in tps:
            self._places.pop(tp, None)

    def pause(self, partitions: Sequence[Partition], paused: bool, /) -> None:
        tps = {self._core.catalog.tp(p) for p in partitions}
        if paused:
            self._take_out(tps - self._paused)
            self._paused |= tps
        else:
            back = tps & self._paused
            self._paused -= tps
            self._put_in([tp for tp in back if tp in self._places])

    def _take_out(self, tps: Iterable[int]) -> None:
        """Remember how far they were looked at, and take them from their lanes."""
        self._sought += 1
        for lane in self._lanes:
            for tp in lane.tps.intersection(tps):
                self._places[tp].at = max(self._places[tp].at, lane.cursor)
            lane.tps.difference_update(tps)
        self._lanes = deque(lane for lane in self._lanes if lane.tps)

    def _put_in(self, tps: Sequence[int]) -> None:
        self._sought += 1
        for tp in tps:
            at = max(self._places[tp].at, self._core.catalog.born.get(tp, 0))
            lane = next((lane for lane in self._lanes if abs(lane.cursor - at) < APART), None)
            if lane is None:
                lane = Lane(at)
                self._lanes.append(lane)
            lane.cursor = min(lane.cursor, at)
            lane.tps.add(tp)
        self._core.wake.call()

    # ---- records ----

    async def fetch(self, limit: int, size: int = 8 << 20) -> Sequence[Batch]:
        core, tries = self._core, 0
        while True:
            if core.closed:
                raise closed()
            ticket = core.wake.ticket()
            batches, whole = await self._look(limit, size)
            if batches:
                return batches
            if core.closed:
                raise closed()
            if not whole:
                tries = 0
            elif self._lanes and core.horizon.open and tries < TRIES:
                await patience(tries)  # somebody's commit is on its way
                tries += 1
            else:
                await self._sleep(ticket)
                tries = 0

    async def _sleep(self, ticket: asyncio.Event) -> None:
        """Until a wake or the floor; a horizon that is held is looked at again after a moment of real time, because who
        holds it may tell nobody when it ends."""
        if self._lanes and self._core.horizon.open:
            await SystemClock().wait(ticket, HELD)
        else:
            await self._core.wake.wait(ticket, self._core.poll_floor)

    async def _look(self, limit: int, size: int) -> tuple[list[Batch], bool]:
        """One look by each lane until one finds something; the next call begins with another lane."""
        if self._ill:
            raise self._ill.popleft()
        whole = True
        for _ in range(len(self._lanes)):
            lane, sought = self._lanes[0], self._sought
            self._lanes.rotate(-1)
            found = await self._scan(lane, limit, size)
            if sought != self._sought:
                return [], False
            whole &= found.whole
            batches = self._batches(lane, found)
            self._join_lanes(lane)
            if batches:
                return batches, False
        return [], whole

    async def _scan(self, lane: Lane, limit: int, size: int) -> Found:
        core, places = self._core, self._places
        starts = {tp: places[tp].at for tp in lane.tps}
        looking = scan(core.pool, core.horizon, core.catalog, starts, lane.cursor, limit, size)
        return await finished(looking)

    def _batches(self, lane: Lane, found: Found) -> list[Batch]:
        """In the order of their first records. What lies before a damaged record is handed out before it is raised."""
        if found.ill:
            self._set_aside(lane, found)
        lane.cursor = end = max(lane.cursor, found.end)
        batches = []
        for tp, records in found.records.items():
            place = self._places[tp]
            if tp in found.ill:
                place.at = records[-1].offset + 1
                batches.append(Batch(place.part, place.epoch, records, place.at))
            elif records or end - place.at >= QUIET:
                place.at = end
                batches.append(Batch(place.part, place.epoch, records, end))
        return sorted(batches, key=_first) if len(batches) > 1 else batches

    def _set_aside(self, lane: Lane, found: Found) -> None:
        """Raises, before anything is handed out and lost, where an ill partition cannot go on at all."""
        bare = [tp for tp in lane.tps.intersection(found.ill) if not found.records[tp]]
        lane.tps.difference_update(bare or found.ill)
        if not lane.tps:
            self._lanes.remove(lane)
        self._ill.extend(found.ill[tp] for tp in bare or found.ill)
        if bare:
            raise self._ill.popleft()

    def _join_lanes(self, lane: Lane) -> None:
        """A lane that reached another one goes on with its partitions; each keeps the place that it was told of."""
        if len(self._lanes) < 2 or lane not in self._lanes:
            return
        for other in list(self._lanes):
            if other is not lane and abs(other.cursor - lane.cursor) < QUIET:
                for tp in lane.tps | other.tps:
                    cursor = lane.cursor if tp in lane.tps else other.cursor
                    self._places[tp].at = max(self._places[tp].at, cursor)
                lane.cursor = min(lane.cursor, other.cursor)
                lane.tps |= other.tps
                self._lanes.remove(other)


def _first(batch: Batch) -> int:
    return batch.records[0].offset if batch.records else batch.next
