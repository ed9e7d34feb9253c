"""A projection built again from its first event, in a place of its own, and compared with the one that is served.

The shadow is another engine (a file of its own that is thrown away, or memory), with the same fold run by the same
member code over the same records up to the same position: no second way of folding that could be wrong by itself.
Events that the live group holds, or that an operator dropped, are left out: it has not folded them either.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from tidings.clock import SystemClock
from tidings.delivery.limits import Limits
from tidings.delivery.worker import Worker
from tidings.domain.group import Groups
from tidings.domain.idle import wait_idle
from tidings.domain.program import Group
from tidings.domain.runtime import Runtime
from tidings.engine import open_engine
from tidings.engine.port import Engine, Topic
from tidings.engine.unit import Event, Partition, Value
from tidings.errors import EngineError, Stale
from tidings.ops.parked import held
from tidings.ops.scan import beginnings, scan

TRIES = 3  # to find the live projection at rest for as long as a look takes
PAGE = 1000
SHOWN = 20  # differences that are told one by one
WITHIN = 600.0


class Comparison(Struct, frozen=True):
    """`why`: "" where it was shown. `differences`: sentences, the first `SHOWN`; `wrong`: how many there are."""

    group: str
    rows: int
    events: int
    wrong: int
    differences: Sequence[str]
    why: str = ""


async def compare(runtime: Runtime, group: Group) -> Comparison:
    """The projection as it is served, against its own fold from the first event."""
    if why := await _impossible(runtime, group):
        return Comparison(group.name, 0, 0, 0, (), why)
    try:
        async with _engine(runtime.engine) as engine:
            return await _compare(runtime, group, engine)
    except (Stale, EngineError) as error:
        return Comparison(group.name, 0, 0, 0, (), f"it could not be built again: {error.message}")


async def _impossible(runtime: Runtime, group: Group) -> str:
    asked = [h.name for h in group.service.handlers if h.resources and group.projection is None]
    asked += [h.name for h in (group.projection.handlers if group.projection else ()) if h.resources]
    if asked:
        return f"its fold asks for resources ({', '.join(asked)}), which are not opened for a look"
    if not await runtime.engine.store.progress(group.name):
        return "it has not begun"
    return await _lost(runtime.engine, group)


async def _lost(engine: Engine, group: Group) -> str:
    """Whether retention may have taken what it was built from."""
    known = {t.name: t for t in await engine.log.topics()}
    risky = [n for n in group.topics if (t := known[n]).keep is not None or t.keep_bytes is not None or t.compact]
    if not risky:
        return ""
    since = max(
        (a.time for a in await engine.store.acts(1_000_000) if (a.act, a.group) == ("reset", group.name)), default=0
    )
    begun: dict[Partition, int] = {}
    after = 0
    while lines := await engine.store.ledger(group.name, after, PAGE):
        after = lines[-1][0]
        for _, line in lines:
            if line.time >= since:
                begun[line.partition] = min(begun.get(line.partition, line.first), line.first)
    first = await beginnings(engine, risky)
    gone = sorted({p.topic for p, at in first.items() if p in begun and begun[p] < at})
    if compact := [n for n in risky if known[n].compact]:
        return f"compaction may have taken events of {', '.join(compact)}"
    return f"retention took events of {', '.join(gone)} that it was built from" if gone else ""


@asynccontextmanager
async def _engine(live: Engine) -> AsyncIterator[Engine]:
    with TemporaryDirectory(prefix="tidings-shadow-") as folder:
        url = f"sqlite:///{Path(folder) / 'shadow.db'}" if live.can.sql else "memory:"
        engine = await (open_engine(url, synchronous="off") if live.can.sql else open_engine(url))
        try:
            yield engine
        finally:
            await engine.close()


async def _compare(runtime: Runtime, group: Group, engine: Engine) -> Comparison:
    for _ in range(TRIES):
        before = await _stand(runtime.engine, group.name)
        live = await _tables(runtime, group)
        if await _stand(runtime.engine, group.name) == before:
            break
    else:
        return Comparison(group.name, 0, 0, 0, (), "it moved while it was looked at: stop its workers for a while")
    shadow = Runtime(runtime.program, engine, SystemClock())
    try:
        events = await _build(shadow, runtime.engine, group, dict(before[0]), before[1])
        parked = [f"{h.entry.name} at {h.entry.place}: {h.error}" for h in await held(engine, group.name)]
        built = await _tables(shadow, group)
    finally:
        shadow.close()
    wrong = [f"building it again parks {each}" for each in parked] + _differences(live, built)
    return Comparison(group.name, sum(map(len, live.values())), events, len(wrong), wrong[:SHOWN])


async def _stand(engine: Engine, group: str) -> tuple[dict[Partition, int], frozenset[tuple[Partition, int]]]:
    """Its positions, and the events below them that it did not fold."""
    rows = await engine.store.progress(group)
    out = {(Partition(h.entry.topic, h.entry.partition), h.entry.offset) for h in await held(engine, group)}
    for act in await engine.store.acts(1_000_000):
        if (act.act, act.group) == ("drop", group):
            detail = json.loads(act.detail)
            topic, _, number = detail["partition"].rpartition("/")
            out |= {(Partition(topic, int(number)), offset) for offset in detail["offsets"]}
    return {r.partition: r.next for r in rows}, frozenset(out)


async def _build(
    shadow: Runtime,
    live: Engine,
    group: Group,
    upto: Mapping[Partition, int],
    without: frozenset[tuple[Partition, int]],
) -> int:
    """Fold in the shadow; how many events lie in it."""
    engine, program = shadow.engine, shadow.program
    declared = {t.name: t for t in program.port_topics()}
    await engine.log.declare([Topic(name, declared[name].partitions, None) for name in group.topics])
    await engine.store.tables([program.tables[row] for row in (group.projection.rows if group.projection else ())])
    if group.projection is not None and group.projection.ddl is not None:
        await engine.store.script(group.name, group.projection.ddl)
    subscription = Groups(shadow, {}).subscription(group)
    worker = Worker(engine, [subscription], "shadow", clock=shadow.clock, limits=Limits())
    shadow.running.add(group.name)
    shadow.busy = lambda: not worker.idle
    worker.start()
    try:
        count = 0
        async for page in scan(live, await beginnings(live, group.topics)):
            events = [
                Event(p.topic, p.number, r.key, b"", r.head, r.data)
                for p, r in page
                if r.offset < upto.get(p, 0) and (p, r.offset) not in without
            ]
            if events:
                await engine.log.send(events)
                count += len(events)
        await wait_idle(shadow, WITHIN)
        return count
    finally:
        await worker.stop()


async def _tables(runtime: Runtime, group: Group) -> dict[str, dict[str, Sequence[Value]]]:
    """All rows of its tables, by table and key."""
    found: dict[str, dict[str, Sequence[Value]]] = {}
    projection = group.projection
    for row in projection.rows if projection else ():
        name, after = runtime.program.tables[row].name, ""
        mine = found[name] = {}
        while page := await runtime.engine.store.page(name, after, PAGE):
            mine.update((str(values[0]), values) for _, values in page)
            after = str(page[-1][1][0])
    if projection is not None and projection.ddl is not None:
        for name in await runtime.engine.store.script(group.name, projection.ddl):
            rows = await runtime.engine.store.query(runtime.select_all(name), {})
            found[name] = {f"{n}": values for n, values in enumerate(sorted(map(tuple, rows), key=repr))}
    return found


def _differences(
    live: Mapping[str, Mapping[str, Sequence[Value]]], built: Mapping[str, Mapping[str, Sequence[Value]]]
) -> list[str]:
    wrong = []
    for table, rows in live.items():
        again = built.get(table, {})
        for key in sorted({*rows, *again}):
            if key not in again:
                wrong.append(f"{table} {key}: is there, and a rebuild does not make it")
            elif key not in rows:
                wrong.append(f"{table} {key}: is not there, and a rebuild makes it")
            elif tuple(rows[key]) != tuple(again[key]):
                wrong.append(f"{table} {key}: {list(rows[key])!r} is served, a rebuild gives {list(again[key])!r}")
    return wrong
