"""When is a system at rest? When nothing lies before its groups, nothing of theirs is held and due, no saga is open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from tidings.domain.saga_run import TABLE
from tidings.engine.port import Progress
from tidings.engine.unit import Claim, Held, Partition
from tidings.errors import Stale

if TYPE_CHECKING:
    from tidings.domain.runtime import Runtime

PAGE = 1000
NEVER = 1 << 62


async def wait_idle(runtime: Runtime, within: float) -> None:
    store, clock = runtime.engine.store, runtime.clock
    end = clock.monotonic() + within
    await store.changed(0.0)
    while open_ := await what_is_open(runtime):
        left = end - clock.monotonic()
        if left <= 0:
            raise Stale(f"not at rest after {within:g} s: {'; '.join(open_[:6])}", hint="`tidings groups` shows more")
        await store.changed(min(left, 0.05))


async def what_is_open(runtime: Runtime) -> list[str]:
    """Sentences about what is still to be done; empty at rest. Parked events wait for a person and do not count."""
    if open_ := await what_is_due(runtime):
        return open_
    retries = [
        f"group {p.group} retries on {p.partition.topic}/{p.partition.number}"
        for p in await progress(runtime)
        if p.held > p.parked and not p.paused and await held_by(runtime, p, NEVER)
    ]
    return retries or await _sagas(runtime)


async def what_is_due(runtime: Runtime) -> list[str]:
    """The same without what waits for its time or for somebody's answer: empty where nothing happens before time
    passes."""
    if runtime.busy():
        return ["a batch is being handled"]
    rows = await progress(runtime)
    hearing = {g.name for g in runtime.program.groups if g.topics}
    begun = {p.group for p in rows}
    open_ = [f"group {g} has not begun" for g in sorted(runtime.running & hearing - begun)]
    open_ += await _lagging(runtime, rows)
    now = await runtime.engine.store.now()
    for p in rows:
        if p.held > p.parked and not p.paused and await held_by(runtime, p, now):
            open_.append(f"group {p.group} has an event of {p.partition.topic}/{p.partition.number} in hand")
    open_ += [f"a timer of group {t.group} is due" for t in await next_timers(runtime, rows) if t.due <= now]
    outbox = runtime.engine.outbox
    if outbox is not None and (waiting := await outbox.pending()):
        open_.append(f"{waiting} events wait for the relay")
    return open_


async def progress(runtime: Runtime) -> list[Progress]:
    """Of the groups that run here; of all, if none does."""
    groups = runtime.running
    return [p for p in await runtime.engine.store.progress() if not groups or p.group in groups]


async def held_by(runtime: Runtime, p: Progress, due: int) -> Sequence[Held]:
    """Held there, due by then, and not behind a parked event of the same key."""
    return await runtime.engine.store.held([claim_of(p)], due, PAGE)


def claim_of(p: Progress) -> Claim:
    """To look with: nothing is claimed by it."""
    return Claim(p.group, p.partition, p.epoch, p.next, p.held_gen)


class NextTimer(NamedTuple):
    group: str
    due: int


async def next_timers(runtime: Runtime, rows: Sequence[Progress]) -> list[NextTimer]:
    """The soonest of each group, of its partitions that are not paused."""
    by_group: defaultdict[str, list[Claim]] = defaultdict(list)
    for p in rows:
        if not p.paused:
            by_group[p.group].append(claim_of(p))
    found = [(group, await runtime.engine.store.timers(mine, 1)) for group, mine in by_group.items()]
    return [NextTimer(group, timers[0].due) for group, timers in found if timers]


async def _lagging(runtime: Runtime, rows: Sequence[Progress]) -> list[str]:
    by_group: defaultdict[str, dict[Partition, int]] = defaultdict(dict)
    for p in rows:
        if not p.paused:
            by_group[p.group][p.partition] = p.next
    found = []
    for group, at in by_group.items():
        lag = sum((await runtime.engine.log.lag(at)).values())
        if lag:
            found.append(f"{lag} events lie before group {group}")
    return found


async def _sagas(runtime: Runtime) -> list[str]:
    mine = runtime.saga_groups & runtime.running if runtime.running else runtime.saga_groups
    if not mine:
        return []
    after, count = "", 0
    while page := await runtime.engine.store.page(TABLE.name, after, PAGE):
        count += sum(1 for _, v in page if v[1] in mine and v[3] in ("running", "undoing"))
        after = str(page[-1][1][0])
    return [f"{count} sagas are open"] if count else []
