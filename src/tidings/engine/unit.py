"""What travels through the port: records and claims in, units out, answers back. Plain data, built without checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

from msgspec import Struct

Value: TypeAlias = str | int | float | bytes | None


class Partition(NamedTuple):
    topic: str
    number: int


class Address(NamedTuple):
    """The name of one piece of state: a stream ("order", "42") or a row ("shelves", "sku-1")."""

    space: str
    key: str


class Mark(NamedTuple):
    """The last stamp seen from one source (a relay) on one partition: anything at or below it is a resend."""

    source: str
    generation: int
    sequence: int


class Event(Struct, frozen=True, gc=False):
    """An event to be kept: in a topic, in a stream (private: topic is None), or in both, written once each.

    `version` is its place in the stream, Conflict if that is not the next one; 0 lets the store choose. `partition` was
    computed by the caller.
    """

    topic: str | None
    partition: int
    key: bytes | None
    id: bytes
    head: bytes
    data: bytes | None
    stream: Address | None = None
    version: int = 0


class Record(Struct, frozen=True, gc=False):
    """A record of a log. Offsets rise within a partition and may have gaps; own logs number all records together."""

    offset: int
    time: int
    key: bytes | None
    head: bytes  # the envelope, packed by the floor above: an engine never looks inside
    data: bytes | None
    mark: Mark | None = None  # the relay's stamp, where a relay sent it


class Batch(Struct, frozen=True, gc=False):
    """Records of one partition in order. `next` is where progress stands when all of them are finished; it may lie
    past the last record, and there may be no records at all (progress over what was nobody's). `epoch`: the claim's."""

    partition: Partition
    epoch: int
    records: Sequence[Record]
    next: int


class Claim(Struct, frozen=True):
    """Ownership of one partition of a group until somebody claims it after us; only `epoch` makes it safe.

    `tries` counts claims since progress last moved: a batch that kills its process is noticed by it.
    """

    group: str
    partition: Partition
    epoch: int
    next: int
    held_gen: int
    tries: int = 0
    paused: str | None = None
    marks: Sequence[Mark] = ()
    muted: int = 0  # effects of events below this offset are not to be told again (a reset with muted effects)


class Held(Struct, frozen=True):
    """An event that progress has passed though it is not finished; (group, partition, offset) names it.

    `due`: run again from then on (one that is running, or queues behind another of its key: now). None: parked.
    Order within a key is the order of offsets: only the head of a key runs, a parked head holds all behind it.
    The owner of the partition runs it, so it needs no lease of its own. Original bytes, for ever.
    """

    partition: Partition
    offset: int
    time: int
    key: bytes | None
    head: bytes
    data: bytes | None
    due: int | None
    attempt: int = 1
    error: str = ""


class Timer(Struct, frozen=True):
    """Due once, in (group, partition); `name` is unique in the group, setting it again moves it."""

    partition: Partition
    name: str
    due: int
    key: bytes | None
    head: bytes
    data: bytes | None
    attempt: int = 0


class Stored(Struct, frozen=True, gc=False):
    version: int
    id: bytes
    time: int
    head: bytes
    data: bytes | None


class History(Struct, frozen=True):
    """`snapshot` = (version, bytes), or None; `events` follow it. `version` 0: no such stream."""

    address: Address
    version: int
    events: Sequence[Stored]
    snapshot: tuple[int, bytes] | None = None


class Snapshot(Struct, frozen=True):
    address: Address
    version: int
    fingerprint: str  # of the shape of the state and of its fold
    data: bytes


# ---- A unit: conditions and effects --------------------------------------------------------------------------------


class Step(Struct, frozen=True):
    """Condition: progress is `at` and the epoch and held_gen are these. Effect: progress is `to`.

    A member's units of one partition form a chain (`at` = the `to` before), also while earlier ones are in flight:
    when one is refused, all after it are Fenced by themselves. held_gen rises by one in each unit that changes the
    partition's held events. `marks` need no condition: the epoch guards them.
    """

    partition: Partition
    epoch: int
    held_gen: int
    at: int
    to: int
    marks: Sequence[Mark] = ()


class Write(Struct, frozen=True):
    """A row as it shall be, in the order of its table's columns; None deletes it."""

    address: Address
    values: Sequence[Value] | None


class Once(Struct, frozen=True):
    """Condition: (scope, id) was never committed. Effect: it is, and `memo` is handed to whoever comes again.

    `tells`: indexes into the unit's events; the receipt for just these is kept beside the memo (see `Store.memo`).
    """

    scope: str
    id: bytes
    memo: bytes = b""
    tells: Sequence[int] = ()


class Memo(Struct, frozen=True):
    """What was kept under a Once: its memo, and the receipt for the events that it told."""

    memo: bytes
    receipt: str
    time: int


class Note(Struct, frozen=True):
    """What became of one event where it was neither handled nor held: `rejected`, `dropped` (at-most-once),
    `unknown` (nobody here hears its type). The first note of an event stays; notes age out by `Store.purge`."""

    partition: Partition
    offset: int
    outcome: str
    text: str
    group: str = ""  # filled in on reading
    time: int = 0


class Handling(Struct, frozen=True):
    """A line of the ledger: `member` finished the events of `partition` in [first, next) for the group."""

    group: str
    partition: Partition
    first: int
    next: int
    epoch: int
    member: str
    time: int


class Transaction(Protocol):
    def execute(self, sql: str, parameters: Mapping[str, Any] = ..., /) -> Sequence[Sequence[Any]]:
        """Never awaited, on any engine: the engine gives the handler a thread. Commit and rollback are refused."""


class Inner(Struct):
    """What a transactional handler tells. Its events join the unit's. Its `once` (with `tells` counted from its own
    first event) join the unit's conditions: one that was kept before makes the answer Conflict, as the unit's own."""

    events: Sequence[Event] = ()
    once: Sequence[Once] = ()


class Inside(Struct, frozen=True):
    """A transactional handler: `run` is called in the commit, on the engine's thread, after all conditions hold and
    before any number is drawn, under a savepoint and the deadline. What it tells joins the unit. It may run again (a
    deadlock), never twice in effect. `cause` names the event it handles in the answer Failed.
    """

    cause: int
    run: Callable[[Transaction], Inner]
    deadline: float = 5.0


class Unit(Struct, frozen=True):
    """What is kept together or not at all. A client's command is a unit without steps.

    `expect`: version of every stream and row that the decision rests on, written or only read; 0 = is not there.
    `events` in the order told; that order is kept in each partition, stream and outbox. `fired`: timers as read.
    """

    group: str = ""
    steps: Sequence[Step] = ()
    expect: Mapping[Address, int] = {}
    once: Sequence[Once] = ()
    fired: Sequence[Timer] = ()
    events: Sequence[Event] = ()
    writes: Sequence[Write] = ()
    hold: Sequence[Held] = ()  # inserted, or replaced by (partition, offset)
    finish: Sequence[tuple[Partition, int]] = ()  # held events that are done
    timers: Sequence[Timer] = ()
    cancel: Sequence[str] = ()
    inside: Sequence[Inside] = ()
    notes: Sequence[Note] = ()
    tally: Mapping[str, int] = {}  # added to the group's counters: handled, rejected, retried, ...
    receipt: bool = False


class Committed(Struct, frozen=True):
    """Durable. `version`: of all rows this unit wrote. `receipt`: what to wait for, if asked. `again`: these very
    events were already in their streams (same ids at the same places): nothing was written now; never of a unit with
    steps."""

    version: int = 0
    receipt: str = ""
    again: bool = False


class Fenced(Struct, frozen=True):
    """Somebody else went on with these partitions (or a chain broke). Drop all that is theirs; claim before more."""

    partitions: Sequence[Partition]


class Conflict(Struct, frozen=True):
    """All that moved under the decision, at once. Decide again the events that touched `states`; read the held set of
    `held` again; forget events that are in `seen`; leave out timers that are `gone`. Then hand the unit in again."""

    states: Sequence[Address] = ()
    held: Sequence[Partition] = ()
    seen: Mapping[bytes, bytes] = {}
    gone: Sequence[str] = ()


class Failed(Struct, frozen=True):
    """A write in the unit is impossible. `cause` names the Inside that raised; None: split the unit and find it."""

    error: str
    cause: int | None = None


class Unknown(Struct, frozen=True):
    """The answer was lost or the disk failed; the engine has thrown its handle away. Claim again, or hand in the same
    unit again if it carries `once` or stream events: those tell whether it had happened. Never assume either."""

    error: str


Answer: TypeAlias = Committed | Fenced | Conflict | Failed | Unknown
