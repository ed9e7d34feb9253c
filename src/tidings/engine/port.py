"""The port: what every engine brings. One page, and its docstrings are the contract.

A *log* keeps topics and hands records to the members of groups. A *store* keeps state and commits units. Own engines
(memory, SQLite, PostgreSQL) bring both from one database; in the split arrangement (Kafka + PostgreSQL) the log is
another system, the store writes events to its outbox instead, and a relay sends them on. Callers see one Engine.

    member:  log.join -> reader.change -> store.claim -> reader.start -> reader.fetch -> decide -> store.commit
    client:  store.load / store.rows -> decide -> store.commit -> store.reached
    relay:   outbox.take -> log.send -> outbox.sent

Rules for every method.
- Called on the loop that opened the engine. An engine may use threads inside; nothing else of it is thread-safe.
- Errors are of `tidings.errors`; a driver's own is their `__cause__`.
- May be cancelled. A cancelled read loses nothing. A cancelled commit may or may not have happened (as Unknown).
- Refusals come back as values. Raised is only what says nothing about a unit: Closed, Unavailable (nothing was sent),
  Refused (a declaration that disagrees with what is stored), Corrupt. No driver's error passes the port.
- Batches in, batches out: no call is made for one event, and structs are built without checks on hot paths.
- Times are microseconds of the store's clock (`store.now`); nothing is ordered by them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from tidings.clock import Clock
from tidings.engine.unit import (
    Address,
    Answer,
    Batch,
    Claim,
    Event,
    Failed,
    Fenced,
    Handling,
    Held,
    History,
    Mark,
    Memo,
    Note,
    Partition,
    Snapshot,
    Timer,
    Unit,
    Unknown,
    Value,
)

# ---- Log: topics, seats, records -----------------------------------------------------------------------------------


class Topic(Struct, frozen=True):
    name: str
    partitions: int
    keep: float | None = 7 * 86400.0  # seconds; None = for ever
    keep_bytes: int | None = None
    compact: bool = False
    hold_for_groups: bool = False


class Extent(Struct, frozen=True):
    """What is there of one partition: offsets in [first, next), their bytes; `identity` changes if it is made anew."""

    partition: Partition
    first: int
    next: int
    bytes: int
    identity: str = ""


class Change(Struct, frozen=True):
    """The wish about a member's partitions. `gain`: claim, then start. `drain`: finish, commit, release, `done`, in
    time. `lost`: already another's, drop. Only a wish: two members may both believe; claims decide."""

    gain: frozenset[Partition] = frozenset()
    drain: frozenset[Partition] = frozenset()
    lost: frozenset[Partition] = frozenset()


class Seated(Struct, frozen=True):
    """A member of a group, for operators. `beat`: when it last said that it lives; `alive`: as its peers see it."""

    group: str
    member: str
    alive: bool
    beat: int


class Reader(Protocol):
    """One member's seat in one group, and its stream of records."""

    async def change(self) -> Change:
        """Wait until the wish changes. Keeps the seat while awaited: await it always, in a task of its own."""

    def start(self, claims: Sequence[Claim]) -> None:
        """Read these partitions from `claim.next`; batches carry `claim.epoch`. Again = seek."""

    def stop(self, partitions: Sequence[Partition]) -> None:
        """No batch of these is handed out after this returns."""

    def pause(self, partitions: Sequence[Partition], paused: bool, /) -> None:
        """Backpressure: keep the seat and the place, hand out nothing, until unpaused or stopped."""

    def done(self, partitions: Sequence[Partition]) -> None:
        """Drained: the seat may pass on."""

    async def fetch(self, limit: int, size: int = 8 << 20) -> Sequence[Batch]:
        """Wait until there is something, then at most about `limit` records and `size` bytes (one record at least).
        Never polls faster than the engine's stated floor; wakes at once for commits of this process, in milliseconds
        for others'. Ordered per partition, settled only: what commits later never appears below what was handed out
        (H01, H01b). An offset that is gone raises Truncated(topic, partition, first), never skips; a record that
        fails its checksum raises Corrupt, never is served. The other partitions flow on, at the latest when that one is
        paused or stopped."""

    async def leave(self) -> None:
        """Give the seat up at once."""


class Log(Protocol):
    async def declare(self, topics: Sequence[Topic]) -> None:
        """Create what is missing; Refused, with both values, where partitions or clean-up differ."""

    async def topics(self) -> Sequence[Topic]: ...

    async def join(self, group: str, topics: Sequence[str], member: str) -> Reader:
        """Take a seat. Partitions are spread over live members; a dead one's move at once, a frozen one's by lease."""

    async def read(self, start: Mapping[Partition, int], limit: int) -> Sequence[Batch]:
        """A throwaway look (tail, sandbox, rebuild): no seat, no progress, no waiting; [] at the end."""

    async def send(self, events: Sequence[Event], marks: Sequence[Mark] = ()) -> Sequence[int | Failed | Unknown]:
        """Offsets, durable when answered (all replicas, fsync). Order per partition is kept: after an Unknown or Failed
        the rest of that partition in this call is Unknown too. Own logs: a unit without conditions, all or nothing."""

    async def extents(self, topics: Sequence[str]) -> Sequence[Extent]: ...

    async def at(self, topic: str, time: int) -> Mapping[Partition, int]:
        """First offsets recorded at `time` or later."""

    async def members(self, group: str | None = None) -> Sequence[Seated]:
        """Who has a seat, by group and name; the dead too, until they are swept away."""

    async def lag(self, at: Mapping[Partition, int]) -> Mapping[Partition, int]:
        """How many records lie at or after these offsets; exact where `can.exact_lag`, else never too few."""

    async def sweep(self, limit: int) -> int:
        """One bounded step of retention and compaction; how many records went. Groups that lose some are paused in the
        same commit, for the reason `truncated: FIRST..LAST`. Compaction (in place of `keep` and `keep_bytes`) leaves
        the last value of each key, for ever, and takes a deletion (data None) when every group is past it. 0 = nothing
        to do, or the broker does it itself."""


# ---- Store --------------------------------------------------------------------------------------------------------


class Table(Struct, frozen=True):
    """`columns`: (name, SQL type of the portable few: text integer real blob numeric json timestamp boolean). The first
    is the primary key. The engine adds its version beside them."""

    name: str
    columns: Sequence[tuple[str, str]]


class Progress(Struct, frozen=True):
    """One row for operators: of (group, partition). `held`, `parked`: events; `oldest`: time of the oldest of them."""

    group: str
    partition: Partition
    next: int
    epoch: int
    owner: str
    held_gen: int
    held: int
    parked: int
    oldest: int | None
    paused: str | None


class Act(Struct, frozen=True):
    """One deed of an operator: reset, pause, resume, redrive, drop, remove; `detail` is JSON for people."""

    time: int
    who: str
    act: str
    group: str
    detail: str


class Store(Protocol):
    """Reads see every unit answered Committed before the call (one's own writes, on the primary)."""

    async def now(self) -> int: ...

    async def commit(self, units: Sequence[Unit]) -> Sequence[Answer]:
        """Answers as if the units ran one after another in this order, each whole or not at all; one unit's refusal
        or failure never changes another's answer. All conditions of a unit are checked before it writes. Durable
        when answered. Units of one call, and of calls in flight together, share transactions where they can.
        Order inside: transaction id, progress, states sorted by address, Inside, numbers, events, the rest.
        A topic, partition, table or number of columns that was not declared makes the answer Failed.
        Blocks nobody else longer than its own write; no user code runs in it but Inside."""

    # groups
    async def claim(self, group: str, member: str, start: Mapping[Partition, int]) -> Sequence[Claim]:
        """Epoch + 1 and owner = member, whoever held them. A partition without progress begins at the given offset."""

    async def renew(self, claims: Sequence[Claim]) -> Sequence[Claim | None]:
        """The truth about claims, read-only: None where the epoch moved on; else the claim as it stands (held_gen,
        paused), so that an operator's act on an idle partition is seen within a heartbeat."""

    async def release(self, claims: Sequence[Claim]) -> None:
        """Owner = nobody, where the epoch is still ours."""

    async def held(self, claims: Sequence[Claim], due: int | None, limit: int) -> Sequence[Held]:
        """Of these partitions, in offset order: with `due`, heads of keys due by then; None: all, parked included."""

    async def timers(self, claims: Sequence[Claim], limit: int) -> Sequence[Timer]:
        """The next ones, soonest first, due or not: the owner sleeps until the first. Nobody else sets them."""

    # state
    async def load(
        self, addresses: Sequence[Address], fingerprint: str = "", to: int | None = None
    ) -> Sequence[History]:
        """Streams, in this order; from the newest snapshot of this fingerprint (at or below version `to`)."""

    async def keep(self, snapshots: Sequence[Snapshot]) -> None:
        """A cache: may be lost, never wrong."""

    async def streams(self, space: str, after: str, limit: int) -> Sequence[tuple[str, int]]: ...

    async def spaces(self) -> Sequence[str]:
        """The spaces that have streams, in order."""

    async def tables(self, tables: Sequence[Table]) -> None:
        """Create what is missing; Refused where columns differ."""

    async def rows(self, addresses: Sequence[Address]) -> Sequence[tuple[int, Sequence[Value]] | None]:
        """(version, values) in this order. A version is never used twice for one address, deletes included."""

    async def page(self, space: str, after: str, limit: int) -> Sequence[tuple[int, Sequence[Value]]]:
        """(version, values) of a table's rows in the order of their keys, those after `after`."""

    async def script(self, name: str, sql: str) -> Sequence[str]:
        """A user's own DDL, run once under this name and then only compared (Refused where it differs): the names of
        the tables that it made. Needs Capabilities.sql."""

    async def query(self, sql: str, parameters: Mapping[str, Value]) -> Sequence[Sequence[Any]]:
        """A user's SELECT, on a read-only connection (Capabilities.sql)."""

    # one's own write
    async def reached(self, group: str, receipt: str, within: float) -> bool:
        """Wait until the group has *handled* the receipt's events: progress is past them and none is held; partitions
        that it does not read do not count. A split receipt is first resolved by the relay's record of it."""

    async def memo(self, scope: str, id: bytes, within: float = 0.0) -> Memo | None:
        """What was kept under a Once, waiting for it up to `within` seconds."""

    async def changed(self, within: float | None = None) -> None:
        """Until the next commit that is seen here, or `within` seconds. It returns at once if something was committed
        since the last call of `changed` returned, so one who looks again and again misses nothing. The call takes the
        wake, not the await: several who look each do `news = store.changed()`, look, `await news`."""

    # what was done, for people
    async def tallies(self, group: str) -> Mapping[str, int]: ...

    async def notes(self, group: str | None, limit: int) -> Sequence[Note]:
        """The newest ones, newest first."""

    async def handled(self, partition: Partition, offset: int) -> Sequence[Handling]:
        """Who finished this event, group by group (the ledger keeps lines until `purge`)."""

    async def ledger(self, group: str, after: int, limit: int) -> Sequence[tuple[int, Handling]]:
        """Lines of the ledger, numbered, in the order in which they ended, those after `after`. The line that still
        grows is not among them: it ends where `progress` stands."""

    async def acts(self, limit: int) -> Sequence[Act]:
        """What operators did, newest first."""

    # operators; each is audited, and each that touches a partition bumps its epoch or held_gen: the owner notices
    async def progress(self, group: str | None = None) -> Sequence[Progress]: ...

    async def move(
        self, group: str, to: Mapping[Partition, int], clear: Sequence[str] = (), *, muted: bool = False
    ) -> None:
        """Reset: progress = to, epoch + 1, held rows, timers and marks of these partitions away, a pause for truncation
        lifted, tables `clear` emptied, in one commit. `muted`: claims say that effects below the old progress are
        muted (below the highest one, where a muted reset follows another)."""

    async def set_paused(self, group: str, partitions: Sequence[Partition], reason: str | None) -> None: ...

    async def redrive(self, group: str, partition: Partition, key: bytes | None, drop: bool) -> int:
        """Parked events of one key become due now (or go away); the owner runs them in order."""

    async def remove(self, group: str) -> None: ...

    async def purge(self, limit: int) -> int:
        """One bounded step against Once marks, receipts and snapshots past their time."""


# ---- Split arrangement --------------------------------------------------------------------------------------------


class Sending(Struct, frozen=True):
    """An intent: already written with its sequence, sent again exactly so after a takeover."""

    outbox: int
    event: Event
    mark: Mark


class Outbox(Protocol):
    """The store's side of the relay (split arrangement only). A lane is a set of partitions with an epoch."""

    async def lane(self, lane: int, lanes: int, member: str) -> int:
        """Epoch + 1 for this lane. Lanes may change in number: partition hash % lanes."""

    async def take(self, lane: int, epoch: int, limit: int) -> Sequence[Sending] | Fenced:
        """Unanswered intents first, exactly as numbered; else wait for rows, number them in send order per
        (topic, partition), write the intent, hand them out."""

    async def sent(self, lane: int, epoch: int, done: Mapping[int, int], refused: Mapping[int, str]) -> bool:
        """Delete acknowledged rows (outbox id -> offset; receipts recorded where asked); refused ones are parked and
        their numbers never used. Rows in neither stay intents. False = fenced."""

    async def pending(self) -> int:
        """How many events the log has not acknowledged yet, intents included."""


# ---- The bundle ---------------------------------------------------------------------------------------------------


class Capabilities(Struct, frozen=True):
    """Facts. A conformance test is skipped only for a declared lack, and skips are counted."""

    one_commit: bool  # log and store are one: an event is readable when its commit is answered
    durable: bool
    shared: bool  # several processes
    sql: bool  # users' SQL: query, and Inside
    sweeps: bool  # our retention; False: the broker's
    hold_for_groups: bool
    exact_lag: bool  # else an upper bound (transaction markers, compaction)
    poll_floor: float  # seconds until a commit is seen if a wake was lost


class Engine(Protocol):
    """Log, store and, in the split arrangement, the outbox between them."""

    @property
    def log(self) -> Log: ...
    @property
    def store(self) -> Store: ...
    @property
    def outbox(self) -> Outbox | None: ...
    @property
    def can(self) -> Capabilities: ...
    @property
    def clock(self) -> Clock:
        """The clock of `store.now`: whoever sets what shall be due reckons by it."""

    async def facts(self, *, thorough: bool = False) -> Mapping[str, Any]:
        """What the engine knows of its file or server, by name, for people. `damage`: sentences about what it found
        broken in its own structure (pages, indexes), looked for only if `thorough`; empty where nothing is."""

    async def close(self, within: float = 10.0) -> None:
        """After the callers have drained and released: new calls raise Closed at once, what is in flight is answered,
        seats are left, handles closed. Idempotent. A whole stop: intake, lanes, commit, release, relay, close."""
