"""Records become arrivals: heads unpacked, routes found, bodies decoded; what nobody here hears is passed over.

of its topics, not for this group   passed over
already seen (a relay's resend)     passed over, counted as `duplicate`
unknown type                        passed over, counted, the first one noted; in a closed topic the group pauses
newer version of a type heard here  the partition pauses in front of it (a deploy gap), and goes on by itself
cannot be read                      parked with the later ones of its key
key is held                         held behind it
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from tidings.delivery.failure import describe, say
from tidings.delivery.heldset import HeldSet
from tidings.delivery.subscription import Arrival, Route, Subscription
from tidings.engine.unit import Batch, Claim, Held, Mark, Note, Partition, Record, Timer
from tidings.event.envelope import Head, unpack

NEWER = "newer"  # how the reason of a pause begins that a newer program lifts by itself


class Work(Struct, eq=False):
    """What one turn has to do."""

    arrivals: list[Arrival] = field(default_factory=list)
    ends: dict[Partition, int] = field(default_factory=dict)  # where progress will stand
    marks: dict[Partition, dict[str, Mark]] = field(default_factory=dict)  # the last of each source
    stamps: list[tuple[Partition, int, Mark]] = field(default_factory=list)  # all of them, with their offsets
    held: list[Held] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    tally: Counter[str] = field(default_factory=Counter)
    pauses: dict[Partition, str] = field(default_factory=dict)
    rearmed: list[tuple[Timer, Timer]] = field(default_factory=list)  # as it was read, as it shall be

    def drop(self, partitions: set[Partition]) -> None:
        """Forget everything of these partitions."""
        self.arrivals = [a for a in self.arrivals if a.partition not in partitions]
        self.held = [h for h in self.held if h.partition not in partitions]
        self.notes = [n for n in self.notes if n.partition not in partitions]
        self.rearmed = [r for r in self.rearmed if r[0].partition not in partitions]
        self.stamps = [s for s in self.stamps if s[0] not in partitions]
        for part in partitions:
            self.ends.pop(part, None)
            self.marks.pop(part, None)
            self.pauses.pop(part, None)


class Intake:
    """Reads batches for one subscription."""

    def __init__(self, subscription: Subscription) -> None:
        self.group = subscription.group
        self.routes: Mapping[str, Route] = {**subscription.routes, **subscription.internal}
        self.ignores = subscription.ignores
        self.closed = subscription.closed
        self.noted: set[str] = set()  # unknown types whose first position is kept

    def read(
        self, batches: Sequence[Batch], claims: Mapping[Partition, Claim], held: Mapping[Partition, HeldSet]
    ) -> Work:
        work = Work()
        for batch in batches:
            claim = claims[batch.partition]
            work.ends[batch.partition] = batch.next
            keys = held[batch.partition].keys
            for record in batch.records:
                if record.offset >= work.ends[batch.partition]:
                    break  # the partition pauses before this one
                if record.mark is not None:
                    if self._seen(record.mark, claim, work, batch.partition):
                        work.tally["duplicate"] += 1
                        continue
                    work.stamps.append((batch.partition, record.offset, record.mark))
                self._one(batch.partition, record, claim, work, keys)
        return work

    def _one(
        self, part: Partition, record: Record, claim: Claim, work: Work, keys: Mapping[bytes | None, object]
    ) -> None:
        try:
            head = unpack(record.head)
        except Exception as error:  # noqa: BLE001 -- whatever is wrong with foreign bytes, they are kept and parked
            unreadable = f"its head cannot be read: {describe(error)}"
            say(self.group, "a record", record.key, unreadable)
            work.held.append(hold(part, record, error=unreadable))
            return
        route = self.routes.get(head.name)
        if route is None:
            if head.name not in self.ignores:
                self._unknown(part, record, head, work)
            return
        if head.version > route.version:
            reason = f"{NEWER}: {head.name} version {head.version}, known here up to {route.version}"
            self._stop(part, record.offset, reason, work)
            return
        if record.key is not None and record.key in keys:
            work.held.append(hold(part, record, due=0))
            return
        try:
            message = route.decode(head.version, record.data)
        except Exception as error:  # noqa: BLE001 -- an upcaster is user code
            say(self.group, head.name, record.key, describe(error))
            work.held.append(hold(part, record, error=describe(error)))
            return
        number = len(work.arrivals)
        muted = record.offset < claim.muted
        work.arrivals.append(
            Arrival(
                number, part, record.offset, record.time, record.key, record.head, record.data,
                head, message, route.runner, muted=muted, route=route,
            )
        )  # fmt: skip

    def again(self, number: int, held: Held, muted_below: int) -> Arrival | Held:
        """An arrival from the held table, decoded with the code of now (upcasters included); or the reason it cannot
        be."""
        try:
            head = unpack(held.head)
            route = self.routes[head.name]
            message = route.decode(head.version, held.data)
        except Exception as error:  # noqa: BLE001
            return Held(
                held.partition, held.offset, held.time, held.key, held.head, held.data,
                None, held.attempt + 1, f"it cannot be read: {describe(error)}",
            )  # fmt: skip
        return Arrival(
            number, held.partition, held.offset, held.time, held.key, held.head, held.data,
            head, message, route.runner, held.attempt + 1, held=True, muted=held.offset < muted_below,
            route=route,
        )  # fmt: skip

    def _unknown(self, part: Partition, record: Record, head: Head, work: Work) -> None:
        if part.topic in self.closed:
            self._stop(part, record.offset, f"unknown type {head.name} in the closed topic {part.topic}", work)
            return
        work.tally["unknown"] += 1
        if head.name not in self.noted:
            self.noted.add(head.name)
            work.notes.append(Note(part, record.offset, "unknown", head.name))

    @staticmethod
    def _stop(part: Partition, offset: int, reason: str, work: Work) -> None:
        work.ends[part] = offset
        work.pauses[part] = reason

    @staticmethod
    def _seen(mark: Mark, claim: Claim, work: Work, part: Partition) -> bool:
        """At or below the last stamp of its source: a resend. A newer generation starts again."""
        marks = work.marks.setdefault(part, {})
        last = marks.get(mark.source) or next((m for m in claim.marks if m.source == mark.source), None)
        if last is not None and (mark.generation, mark.sequence) <= (last.generation, last.sequence):
            return True
        marks[mark.source] = mark
        return False


def marks_of(stamps: Sequence[tuple[Partition, int, Mark]]) -> dict[Partition, dict[str, Mark]]:
    """The last stamp of each source in each partition."""
    marks: dict[Partition, dict[str, Mark]] = {}
    for part, _, mark in stamps:
        marks.setdefault(part, {})[mark.source] = mark
    return marks


def hold(part: Partition, record: Record, *, due: int | None = None, error: str = "") -> Held:
    """A record as it goes to the held table before any attempt: `due` 0 waits behind its key, None is parked."""
    return Held(
        part, record.offset, record.time, record.key, record.head, record.data, due, 0 if due == 0 else 1, error
    )
