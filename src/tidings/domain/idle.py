"""When is a system at rest? When nothing lies before its groups, nothing of theirs is held and due, no saga is open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tidings.domain.saga_run import TABLE
from tidings.engine.port import Progress
from tidings.engine.unit import Claim
from tidings.errors import Stale

if TYPE_CHECKING:
    from tidings.domain.runtime import Runtime

PAGE = 1000


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
    store = runtime.engine.store
    groups = runtime.running
    if runtime.busy():
        return ["a batch is being handled"]
    rows = [p for p in await store.progress() if (p.group in groups if groups else True)]
    lacking = groups - {p.group for p in rows}
    open_ = [f"group {g} has not begun" for g in sorted(lacking)]
    open_ += await _lagging(runtime, rows)
    now = await store.now()
    for p in rows:
        if p.held > p.parked and not p.paused:
            open_ += await _held(runtime, p)
    open_ += await _due(runtime, rows, now)
    if not open_:
        open_ += await _sagas(runtime)
    if runtime.engine.outbox is not None and not open_ and runtime.busy():
        open_.append("the relay is at work")
    return open_


async def _lagging(runtime: Runtime, rows: Sequence[Progress]) -> list[str]:
    by_group: defaultdict[str, dict] = defaultdict(dict)  # type: ignore[type-arg]
    for p in rows:
        if not p.paused:
            by_group[p.group][p.partition] = p.next
    found = []
    for group, at in by_group.items():
        lag = sum((await runtime.engine.log.lag(at)).values())
        if lag:
            found.append(f"{lag} events lie before group {group}")
    return found


async def _held(runtime: Runtime, p: Progress) -> list[str]:
    """Held and not waiting behind a parked head of its key."""
    claim = Claim(p.group, p.partition, p.epoch, p.next, p.held_gen)
    if await runtime.engine.store.held([claim], 1 << 62, 1):
        return [f"group {p.group} retries on {p.partition.topic}/{p.partition.number}"]
    return []


async def _due(runtime: Runtime, rows: Sequence[Progress], now: int) -> list[str]:
    claims = [Claim(p.group, p.partition, p.epoch, p.next, p.held_gen) for p in rows if not p.paused]
    by_group: defaultdict[str, list[Claim]] = defaultdict(list)
    for claim in claims:
        by_group[claim.group].append(claim)
    found = []
    for group, mine in by_group.items():
        timers = await runtime.engine.store.timers(mine, 1)
        if timers and timers[0].due <= now:
            found.append(f"a timer of group {group} is due")
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
