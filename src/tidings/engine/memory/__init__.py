"""The shortest whole engine: a readable specification of the port, and the oracle of property tests.

    tables.py     everything that is kept, as dicts
    log.py        topics, records, looks; reader.py a member's seat; retention.py what may go
    store.py      states and receipts; groups.py claims, held events, operators; commit.py conditions and effects
    outbox.py     between the two, where they are apart

`Memory(clock)` keeps log and store as one: a commit publishes. `Memory(clock, split=True)` keeps them apart as a broker
and a database are: a commit fills the outbox, and `tidings.delivery.relay` sends it on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidings.clock import Clock
from tidings.engine.ages import Ages
from tidings.engine.memory.log import MemoryLog
from tidings.engine.memory.outbox import MemoryOutbox
from tidings.engine.memory.store import MemoryStore
from tidings.engine.memory.tables import LogTables, StoreTables
from tidings.engine.port import Capabilities
from tidings.engine.wake import Wake


class Memory:
    def __init__(self, clock: Clock, *, split: bool = False, ages: Ages | None = None) -> None:
        self._records, self._states, self._ages = LogTables(), StoreTables(), ages or Ages()
        wake = Wake(clock)
        self.log = MemoryLog(self._records, None if split else self._states, clock, Wake(clock) if split else wake)
        self.store = MemoryStore(self._states, self.log, split, clock, wake, self._ages)
        self.outbox = MemoryOutbox(self._states, clock, wake) if split else None
        self.clock = clock
        self.can = Capabilities(
            one_commit=not split,
            durable=False,
            shared=False,
            sql=False,
            sweeps=True,
            hold_for_groups=not split,
            exact_lag=True,
            poll_floor=0.0,
        )

    async def facts(self, *, thorough: bool = False) -> Mapping[str, Any]:
        found: dict[str, Any] = {
            "engine": "memory",
            "records": sum(map(len, self._records.records.values())),
            "streams": len(self._states.streams),
            "once_marks": len(self._states.once),
            "once_seconds": self._ages.once,
            "outbox": len(self._states.outbox),
        }
        return found | ({"damage": ()} if thorough else {})

    async def close(self, within: float = 10.0) -> None:
        self._records.closed = self._states.closed = True
        self._records.seats.clear()
        self.log.wake.call()
        self.store.wake.call()


__all__ = ["Memory"]
