"""A turn in which some write is impossible, and nobody knows whose: it is halved until that one stands alone.

The halves are turns of their own, one after the other. The first may fail an event, lose a partition or meet a pause,
so the second is looked at again before it runs: later events of a key that is held by now go behind it, and where the
first half was not kept, the second must not be either, or progress would pass what was never done.
"""

from __future__ import annotations

from collections.abc import Mapping

from tidings.delivery.decisions import held_of
from tidings.delivery.heldset import HeldSet
from tidings.delivery.intake import Work, marks_of
from tidings.engine.unit import Claim, Partition


def halves(work: Work) -> tuple[Work, Work]:
    """The same work as two turns, in order. What was put aside, and the relay's stamps, go with the half they lie in;
    notes and counts with the first."""
    middle = len(work.arrivals) // 2
    first, second = work.arrivals[:middle], work.arrivals[middle:]
    ends = dict(work.ends)
    for arrival in reversed(second):
        if not arrival.held and arrival.timer is None:
            ends[arrival.partition] = arrival.offset
    for arrival in work.arrivals:
        arrival.anew()
    early = [held for held in work.held if held.offset < ends.get(held.partition, held.offset + 1)]
    late = [held for held in work.held if held.offset >= ends.get(held.partition, held.offset + 1)]
    early_stamps = [stamp for stamp in work.stamps if stamp[1] < ends[stamp[0]]]
    one = Work(first, ends, marks_of(early_stamps), early_stamps, early, work.notes, work.tally, rearmed=work.rearmed)
    return one, Work(second, dict(work.ends), work.marks, work.stamps, late, pauses=work.pauses)


def second_half(
    work: Work, begins: Mapping[Partition, int], claims: Mapping[Partition, Claim], held: Mapping[Partition, HeldSet]
) -> Work:
    """What is left of the second half. `begins`: where progress stands if the first one was kept."""
    work.drop({p for p in work.ends if p not in claims or claims[p].next != begins[p]})
    for arrival in work.arrivals:
        fresh = not arrival.held and arrival.timer is None
        if fresh and arrival.partition in held and held[arrival.partition].holds(arrival.key):
            work.held.append(held_of(arrival, 0, arrival.attempt - 1))
    behind = {(held.partition, held.offset) for held in work.held}
    work.arrivals = [a for a in work.arrivals if (a.partition, a.offset) not in behind]
    return work
