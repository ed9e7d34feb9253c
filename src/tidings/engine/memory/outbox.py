"""The outbox: what waits for the relay, and the numbers under which it is sent.

    waiting -> intent (numbered, handed out) -> sent | refused

Numbers are drawn in send order and kept as intents before anything is sent, so a relay that takes over sends the very
same thing again, and consumers know it by its mark.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from zlib import crc32

from tidings.clock import Clock
from tidings.engine.memory.tables import StoreTables, closed
from tidings.engine.port import Sending
from tidings.engine.unit import Event, Fenced, Mark, Partition
from tidings.engine.wake import Wake


class MemoryOutbox:
    def __init__(self, tables: StoreTables, clock: Clock, wake: Wake, source: str = "memory") -> None:
        self._tables, self._clock, self._wake, self._source = tables, clock, wake, source
        self._epochs: defaultdict[int, int] = defaultdict(int)
        self._lanes = 1
        self._last: defaultdict[Partition, int] = defaultdict(int)  # sequence numbers drawn
        self._intents: dict[int, Sending] = {}

    @property
    def t(self) -> StoreTables:
        if self._tables.closed:
            raise closed()
        return self._tables

    async def lane(self, lane: int, lanes: int, member: str) -> int:
        if lanes != self._lanes:  # every lane is another set of partitions now: whoever held one lets go
            self._lanes = lanes
            self._epochs = defaultdict(int, {n: epoch + 1 for n, epoch in self._epochs.items()})
        self._epochs[lane] += 1
        self._wake.call()
        return self._epochs[lane]

    async def take(self, lane: int, epoch: int, limit: int) -> Sequence[Sending] | Fenced:
        while True:
            ticket = self._wake.ticket()
            if self._epochs[lane] != epoch:
                return Fenced(())
            mine = {n: event for n, event in sorted(self.t.outbox.items()) if self._lane(event) == lane}
            intents = [self._intents[n] for n in mine if n in self._intents]
            taken = intents or [self._intend(n, event) for n, event in mine.items()][:limit]
            if taken:
                return taken[:limit]
            await self._wake.wait(ticket)

    def _lane(self, event: Event) -> int:
        return crc32(f"{event.topic}/{event.partition}".encode()) % self._lanes

    def _intend(self, number: int, event: Event) -> Sending:
        part = Partition(str(event.topic), event.partition)
        self._last[part] += 1
        self._intents[number] = Sending(number, event, Mark(self._source, 1, self._last[part]))
        return self._intents[number]

    async def sent(self, lane: int, epoch: int, done: Mapping[int, int], refused: Mapping[int, str]) -> bool:
        if self._epochs[lane] != epoch:
            return False
        for number, offset in done.items():
            event = self._close(number)
            if event is not None:
                self.t.sent[number] = (self._clock.now(), Partition(str(event.topic), event.partition), offset)
        for number, error in refused.items():
            event = self._close(number)
            if event is not None:
                self.t.refused[number] = (event, error)
        self._wake.call()
        return True

    async def pending(self) -> int:
        return len(self.t.outbox)

    def _close(self, number: int) -> Event | None:
        self._intents.pop(number, None)
        return self.t.outbox.pop(number, None)
