"""From decisions to a unit: everything that is decided, under all its conditions, as one thing to commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tidings.delivery.decisions import Decisions
from tidings.engine.unit import Claim, Event, Held, Inside, Note, Once, Partition, Step, Timer, Unit


def unit_of(group: str, decided: Decisions, claims: Mapping[Partition, Claim]) -> Unit | None:
    """None where no partition of the turn is ours any more."""
    steps = _steps(decided, claims)
    if not steps:
        return None
    work = decided.work
    by_number = {a.number: a for a in work.arrivals}
    decisions = [(by_number[n], d) for n, d in decided.applied.items() if n in by_number]
    failed = [(by_number[n], f) for n, f in decided.failed.items() if n in by_number]
    tally, notes = Counter(work.tally), list(work.notes)
    events: list[Event] = []
    once: list[Once] = []
    inside: list[Inside] = []
    alarms: dict[str, Timer | None] = {}
    for arrival, d in decisions:
        tally[d.outcome] += 1
        if d.outcome == "rejected":
            notes.append(Note(arrival.partition, arrival.offset, "rejected", d.text))
        if d.once:
            first = len(events)
            once += [Once(o.scope, o.id, o.memo, [first + n for n in o.tells]) for o in d.once]
        events += d.events
        if d.cancel or d.timers:
            alarms.update(dict.fromkeys(d.cancel))
            alarms.update((t.name, t) for t in d.timers)
        if d.inside is not None:
            inside.append(d.inside)
    for _, again in failed:
        if isinstance(again, Timer):
            alarms[again.name] = again
            tally["retried"] += 1
        elif again.error:
            tally["parked" if again.due is None else "retried"] += 1
    for unreadable in work.held:
        tally["parked"] += unreadable.due is None
    alarms.update((later.name, later) for _, later in work.rearmed)
    return Unit(
        group=group,
        steps=steps,
        expect=decided.session.expect(d for _, d in decisions),
        once=once,
        fired=[*(a.timer for a in work.arrivals if a.timer is not None), *(old for old, _ in work.rearmed)],
        events=events,
        writes=decided.session.writes(),
        hold=[*work.held, *(f for _, f in failed if isinstance(f, Held))],
        finish=[(a.partition, a.offset) for a, _ in decisions if a.held],
        timers=[t for t in alarms.values() if t is not None],
        cancel=[name for name, t in alarms.items() if t is None],
        inside=inside,
        notes=notes,
        tally={name: count for name, count in tally.items() if count},
    )


def _steps(decided: Decisions, claims: Mapping[Partition, Claim]) -> list[Step]:
    """Progress of each partition that is still ours; the rest of the turn is dropped."""
    work = decided.work
    parts = dict.fromkeys([*work.ends, *(a.partition for a in work.arrivals)])
    gone = {p for p in parts if p not in claims}
    if gone:
        decided.drop(gone)
    steps = []
    for part in parts:
        if part not in gone:
            claim = claims[part]
            marks = tuple(work.marks.get(part, {}).values())
            steps.append(Step(part, claim.epoch, claim.held_gen, claim.next, work.ends.get(part, claim.next), marks))
    return steps
