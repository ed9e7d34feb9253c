"""Everything the memory engine keeps, as dicts. What is a dict here is a table in the other engines."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from tidings.engine.port import Act, Table, Topic
from tidings.engine.unit import (
    Address,
    Event,
    Handling,
    Held,
    Mark,
    Memo,
    Note,
    Partition,
    Record,
    Snapshot,
    Stored,
    Timer,
    Value,
)
from tidings.errors import Closed, Refused, did_you_mean


@dataclass
class Seat:
    awaited: int = 0  # how many calls of `change` wait now
    left: float = 0.0  # when the last one ended, in seconds of the clock


@dataclass
class LogTables:
    """`next` numbers the records of all partitions together and never goes back: no offset is used twice."""

    next: int = 0
    topics: dict[str, Topic] = field(default_factory=dict)
    records: defaultdict[Partition, list[Record]] = field(default_factory=lambda: defaultdict(list))
    first: dict[Partition, int] = field(default_factory=dict)  # where retention took records: the first one left
    seats: defaultdict[str, dict[str, Seat]] = field(default_factory=lambda: defaultdict(dict))  # by group, member
    closed: bool = False

    def topic(self, name: str) -> Topic:
        if name not in self.topics:
            raise Refused(f"no topic {name!r}", hint=did_you_mean(name, self.topics))
        return self.topics[name]

    def partitions(self, topic: str) -> list[Partition]:
        return [Partition(topic, number) for number in range(self.topic(topic).partitions)]


@dataclass
class ProgressRow:
    """How far one group is on one partition, and whose it is."""

    next: int
    epoch: int = 0
    owner: str = ""
    held_gen: int = 0
    tries: int = 0
    muted: int = 0
    paused: str | None = None
    marks: dict[str, Mark] = field(default_factory=dict)  # by source
    held: dict[int, Held] = field(default_factory=dict)  # by offset


@dataclass
class StoreTables:
    """`commits` numbers the commits; it is the version of the rows that a commit writes, so no version comes twice."""

    commits: int = 0
    progress: dict[tuple[str, Partition], ProgressRow] = field(default_factory=dict)
    epochs: dict[tuple[str, Partition], int] = field(default_factory=dict)  # of groups that were removed
    timers: dict[tuple[str, str], Timer] = field(default_factory=dict)  # by (group, name)
    streams: dict[Address, list[Stored]] = field(default_factory=dict)
    snapshots: dict[tuple[Address, str], tuple[int, Snapshot]] = field(default_factory=dict)  # (time, snapshot)
    tables: dict[str, Table] = field(default_factory=dict)
    rows: dict[Address, tuple[int, Sequence[Value]]] = field(default_factory=dict)  # (version, values)
    once: dict[tuple[str, bytes], Memo] = field(default_factory=dict)
    notes: dict[tuple[str, Partition, int], Note] = field(default_factory=dict)
    tallies: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    ledger: dict[int, Handling] = field(default_factory=dict)
    lines: int = 0  # of the ledger, those that were purged too
    acts: list[Act] = field(default_factory=list)
    outbox: dict[int, Event] = field(default_factory=dict)  # what waits for the relay
    outbox_next: int = 1
    sent: dict[int, tuple[int, Partition, int]] = field(default_factory=dict)  # (time, partition, offset)
    refused: dict[int, tuple[Event, str]] = field(default_factory=dict)  # what the log will never take, and why
    closed: bool = False

    def table(self, name: str) -> Table:
        if name not in self.tables:
            raise Refused(f"no table {name!r}", hint=did_you_mean(name, self.tables))
        return self.tables[name]

    def version(self, address: Address) -> int:
        """Of a row, or else of a stream; 0: is not there."""
        if address.space in self.tables:
            return self.rows[address][0] if address in self.rows else 0
        return len(self.streams.get(address, ()))


def closed() -> Closed:
    return Closed("the engine is closed", hint="open another one with `open_engine`")
