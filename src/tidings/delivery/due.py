"""What is due: held events whose time has come, timers, and the careful way with a batch that kills its process.

A partition that was claimed again and again without any progress is *suspect*: something in its next batch may take the
process with it. Its batches are set aside into the held table, so that progress passes, and its held events run one at
a time, each attempt counted before it is made. The one that kills is parked after ten deaths; the others are done by
then.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from msgspec import structs

from tidings.clock import MICRO
from tidings.delivery.decisions import held_of
from tidings.delivery.intake import Intake, Work
from tidings.delivery.ownership import NEVER, Ownership
from tidings.delivery.subscription import Arrival
from tidings.engine.unit import Committed, Held, Unit

log = logging.getLogger("tidings.delivery")
UNREADABLE = 300 * MICRO  # until a timer that cannot be read comes again
DEATHS = 10  # of a process with the same event in its hands, before that event is parked


async def due_work(own: Ownership, intake: Intake, now: int) -> Work | None:
    """Held heads and timers that are due, of the partitions that are not paused; None where there are none."""
    work = Work()
    waiting = [c for p, c in own.claims.items() if own.due_at(p) <= now]
    if waiting:
        found = await own.store.held(waiting, now, own.limits.fetch + len(own.running))
        heads = [h for h in found if (h.partition, h.offset) not in own.running]
        for held in await _careful(own, heads, now):
            one = intake.again(len(work.arrivals), held, own.claims[held.partition].muted)
            if isinstance(one, Arrival):
                work.arrivals.append(one)
            else:
                work.held.append(one)
                work.ends.setdefault(one.partition, own.claims[one.partition].next)
    if own.next_timer <= now:
        await _timers(own, intake, now, work)
    return work if work.arrivals or work.held or work.rearmed else None


async def _timers(own: Ownership, intake: Intake, now: int, work: Work) -> None:
    claims = [c for c in own.claims.values() if not c.paused]
    limit = own.limits.fetch + len(own.running)
    timers = await own.store.timers(claims, limit) if claims else []
    for timer in timers:
        if timer.due <= now and (timer.partition, timer.name) not in own.running:
            held = Held(timer.partition, -1, timer.due, timer.key, timer.head, timer.data, 0, timer.attempt)
            one = intake.again(len(work.arrivals), held, muted_below=held.offset)  # a timer is never muted
            if isinstance(one, Arrival):
                one.held, one.timer = False, timer
                work.arrivals.append(one)
            else:  # it stays, and comes again: a program that can read it may follow
                log.error("group %s: timer %s cannot be read: %s", own.group, timer.name, one.error)
                later = structs.replace(timer, due=now + UNREADABLE, attempt=timer.attempt + 1)
                work.rearmed.append((timer, later))
                work.ends.setdefault(timer.partition, own.claims[timer.partition].next)
    again = len(timers) == limit or any(a.timer is not None for a in work.arrivals)  # not all of them may get done
    own.next_timer = now if again else next((t.due for t in timers if t.due > now), NEVER)


def set_aside(work: Work) -> Work:
    """A batch of a suspect partition: hold all of it, run none of it now."""
    work.held += [held_of(a, 0, 0) for a in work.arrivals]
    work.arrivals = []
    return work


async def _careful(own: Ownership, heads: Sequence[Held], now: int) -> Sequence[Held]:
    """Of suspect partitions only one head at a time, its attempt counted before it runs."""
    own.suspects -= {p for p in own.suspects if p in own.held and not len(own.held[p])}
    calm = [h for h in heads if h.partition not in own.suspects]
    risky = next((h for h in heads if h.partition in own.suspects), None)
    if risky is None:
        return calm
    deaths = risky.attempt + 1
    parked = deaths > DEATHS
    error = f"its process died {DEATHS} times while it was handled" if parked else risky.error
    counted = structs.replace(risky, attempt=deaths, due=None if parked else now, error=error)
    unit = Unit(group=own.group, steps=[own.still(risky.partition)], hold=[counted])
    if not isinstance((await own.store.commit([unit]))[0], Committed):
        await own.refresh([risky.partition])
        return calm
    own.settled(unit)
    return calm if parked else [*calm, structs.replace(counted, attempt=risky.attempt)]
