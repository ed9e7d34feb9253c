"""The state of a store and of its surroundings, and what of it asks for a person."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import metadata
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from tidings.clock import MICRO, from_micro
from tidings.engine.port import Engine, Topic
from tidings.engine.unit import Partition
from tidings.ops.control import Deed, deeds
from tidings.ops.groups import GroupState, groups
from tidings.ops.words import plural, size, span
from tidings.settings import Setting, Settings

Health: TypeAlias = Literal["ok", "look", "act"]
WAL_MUCH = 256 << 20  # bytes: somebody keeps an old snapshot open
SYNC_SLOW = 0.02  # seconds
SOON = 0.2  # of a topic's time to keep: what is left when a group is warned
NEARLY = 0.8  # of a cap
DEEDS = 10


class Finding(Struct, frozen=True):
    """`hint`: what to do about it; empty where nothing is to be done."""

    about: str
    health: Health
    value: str
    hint: str = ""


class Diagnosis(Struct, frozen=True):
    """`facts`: the engine's own words for what it knows of its file. `deeds`: what operators did last."""

    health: Health
    findings: Sequence[Finding]
    facts: Mapping[str, Any]
    settings: Sequence[Setting]
    deeds: Sequence[Deed]


async def doctor(engine: Engine, settings: Settings, explained: Sequence[Setting] = ()) -> Diagnosis:
    """Look at everything that may trouble a night."""
    facts = await engine.facts()
    now = await engine.store.now()
    found = [*versions(facts), *_file(facts), *_writer(facts)]
    states = await groups(engine)
    found += [*_groups(states), *_held(states, settings, now)]
    found += await _retention(engine, states)
    found += _marks(facts)
    order: tuple[Health, ...] = ("ok", "look", "act")
    worst = max((order.index(f.health) for f in found), default=0)
    return Diagnosis(order[worst], found, facts, explained, await deeds(engine, DEEDS))


def versions(facts: Mapping[str, Any]) -> list[Finding]:
    found = [
        Finding("tidings", "ok", version()),
        Finding("python", "ok", f"{platform.python_version()} on {sys.platform}"),
    ]
    if "sqlite" in facts:
        found.append(Finding("sqlite", "ok", str(facts["sqlite"])))
    if "layout" in facts:
        found.append(Finding("layout", "ok", str(facts["layout"])))
    return found


def version() -> str:
    """Of the installed package; "unknown" where it is not installed."""
    try:
        return metadata.version("tidings")
    except metadata.PackageNotFoundError:
        return "unknown"


def _file(facts: Mapping[str, Any]) -> list[Finding]:
    found = []
    if "path" in facts:
        found.append(Finding("file", "ok", f"{facts['path']}, {size(facts['bytes'])}"))
    if "pages" in facts:
        free = f", {facts['free_pages']:,} of them free" if facts["free_pages"] else ""
        found.append(Finding("pages", "ok", f"{facts['pages']:,} of {size(facts['page_bytes'])}{free}"))
    if "wal_bytes" in facts:
        wal = facts["wal_bytes"]
        hint = "a reader keeps an old snapshot open, so it cannot be copied into the file: end that reader"
        found.append(Finding("wal", "look" if wal > WAL_MUCH else "ok", size(wal), hint if wal > WAL_MUCH else ""))
    if "sync_seconds" in facts:
        took = facts["sync_seconds"]
        if took is None:
            found.append(
                Finding("fsync", "act", "the folder cannot be written", "free space, or give this user the right")
            )
        else:
            slow = took > SYNC_SLOW
            hint = "every commit waits for it: use another disk, or batch more" if slow else ""
            found.append(Finding("fsync", "look" if slow else "ok", f"{took * 1000:.2f} ms", hint))
    return found


def _writer(facts: Mapping[str, Any]) -> list[Finding]:
    if "writer" not in facts:
        return []
    pid = facts["writer"]
    if pid is None:
        return [Finding("write lock", "ok", "free")]
    if facts.get("writer_stopped"):
        hint = f"it was stopped inside its commit, and nobody can write: kill -CONT {pid}, or kill -KILL {pid}"
        return [Finding("write lock", "act", f"held by process {pid}, which is stopped", hint)]
    return [Finding("write lock", "ok", f"held by process {pid} at this moment")]


def _groups(states: Sequence[GroupState]) -> list[Finding]:
    living = {m.name for s in states for m in s.members if m.alive}
    dead = {m.name for s in states for m in s.members} - living
    found = [
        Finding("members", "ok", f"{len(living)} alive" + (f", {len(dead)} dead" if dead else "")),
        Finding("lag", "ok", plural(sum(s.lag for s in states), "event")),
    ]
    ill: dict[tuple[Health, str], list[str]] = {}
    for s in states:
        if s.status != "ok":
            ill.setdefault((s.status, "; ".join(s.reasons)), []).append(s.group)
    return found + [
        Finding(
            "groups" if len(names) > 1 else "group", health, f"{', '.join(names)}: {why}", f"tidings groups {names[0]}"
        )
        for (health, why), names in ill.items()
    ]


def _held(states: Sequence[GroupState], settings: Settings, now: int) -> list[Finding]:
    oldest: datetime | None = min((s.oldest for s in states if s.oldest), default=None)
    held = sum(s.held for s in states)
    found = [Finding("held", "ok", plural(held, "event"))]
    if oldest is not None:
        age = (from_micro(now) - oldest).total_seconds()
        found = [Finding("held", "ok", f"{plural(held, 'event')}, the oldest recorded {span(age)} ago")]
    for s in states:
        full = [p for p in s.partitions if p.held >= NEARLY * settings.held]
        if full:
            most = max(full, key=lambda p: p.held)
            stopped = most.held >= settings.held
            value = f"{most.held:,} held of at most {settings.held:,} on {most.topic}/{most.partition}"
            hint = f"at the cap the partition stops: tidings parked {s.group}, mend, tidings redrive {s.group} --all"
            found.append(Finding(f"group {s.group}", "act" if stopped else "look", value, hint))
    return found


async def _retention(engine: Engine, states: Sequence[GroupState]) -> list[Finding]:
    """Groups that will lose events before long: what lies before them is nearly as old as its topic keeps anything."""
    now, found = await engine.store.now(), []
    for topic in await engine.log.topics():
        if topic.keep is None or topic.compact or topic.hold_for_groups:
            continue
        soon = await engine.log.at(topic.name, max(0, now - int(topic.keep * (1 - SOON) * MICRO)))
        for s in states:
            at = {Partition(p.topic, p.partition): p.position for p in s.partitions if p.topic == topic.name}
            behind = {part: offset for part, offset in at.items() if offset < soon.get(part, 0)}
            if behind:
                count = await _between(engine, behind, {part: soon[part] for part in behind})
                if count:
                    found.append(_warning(s.group, topic, count))
    return found


async def _between(engine: Engine, low: Mapping[Partition, int], high: Mapping[Partition, int]) -> int:
    before, after = await engine.log.lag(low), await engine.log.lag(high)
    return sum(before[part] - after[part] for part in low)


def _warning(group: str, topic: Topic, count: int) -> Finding:
    left = span((topic.keep or 0) * SOON)
    value = f"{plural(count, 'event')} of {topic.name} will go within {left}, unhandled"
    hint = "start or scale its workers, keep the topic longer, or declare it with hold_for_groups=True"
    return Finding(f"group {group}", "act", value, hint)


def _marks(facts: Mapping[str, Any]) -> list[Finding]:
    """What recognising late repeats costs: how many come a day, times the days they are kept."""
    if "once_marks" not in facts:
        return []
    window = float(facts["once_seconds"])
    value = f"{facts['once_marks']:,} kept, each for {span(window)}: rate x window"
    return [Finding("duplicate marks", "ok", value)]
