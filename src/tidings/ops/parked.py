"""Held events: parked ones with the later ones of their key, and what an operator does about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from tidings.clock import from_micro
from tidings.domain.idle import claim_of
from tidings.engine.port import Engine, Progress
from tidings.engine.unit import Held, Partition
from tidings.errors import Refused, did_you_mean
from tidings.ops.entries import Entry, entry, key_shown
from tidings.ops.groups import unknown_group

ALL = 1_000_000  # more than the cap on held events lets a partition have


class HeldEvent(Struct, frozen=True):
    """`due`: when it runs again; None: parked. `attempts`: runs so far."""

    group: str
    entry: Entry
    due: datetime | None
    attempts: int
    error: str


class ParkedKey(Struct, frozen=True):
    """A key of one group that stands still. `first` is its parked head, `events` all that is held of it, in order."""

    group: str
    topic: str
    partition: int
    key: str | None
    first: HeldEvent
    events: Sequence[HeldEvent]


class Redriven(Struct, frozen=True):
    """How many parked events of one key were made due, or dropped."""

    group: str
    topic: str
    partition: int
    key: str | None
    events: int


async def held(engine: Engine, group: str | None = None) -> list[HeldEvent]:
    """All held events, parked or not, by group, partition and offset. Raises Refused for an unknown group."""
    return [_event(row.group, h) for row, events in await _held(engine, group) for h in events]


async def parked(engine: Engine, group: str | None = None) -> list[ParkedKey]:
    """Keys whose head is parked, with what waits behind it. Raises Refused for an unknown group."""
    found = []
    for row, events in await _held(engine, group):
        for key, mine in _by_key(events).items():
            if mine[0].due is None:
                shown = [_event(row.group, h) for h in mine]
                found.append(ParkedKey(row.group, *row.partition, key_shown(_bare(key)), shown[0], shown))
    return found


async def redrive(engine: Engine, group: str, key: str | None = None, *, drop: bool = False) -> list[Redriven]:
    """Let parked events run again, in order, by the owner of their partition; or drop them for good.

    `key`: of this one alone, None: of all keys. Raises Refused for an unknown group, or a key that has none parked.
    """
    done, there = [], set[str]()
    for row, events in await _held(engine, group):
        keys = dict.fromkeys(h.key for h in events if h.due is None)
        there |= {key_shown(k) or "" for k in keys}
        for one in keys:
            if key is None or key_shown(one) == key:
                count = await engine.store.redrive(group, row.partition, one, drop)
                done.append(Redriven(group, *row.partition, key_shown(one), count))
    if key is not None and not done:
        hint = did_you_mean(key, there) if there else "`tidings groups` shows where events are held"
        raise Refused(f"group {group!r} has nothing parked under the key {key!r}", hint=hint)
    return done


async def _held(engine: Engine, group: str | None) -> list[tuple[Progress, Sequence[Held]]]:
    rows = await engine.store.progress(group)
    if group is not None and not rows:
        raise unknown_group(group, sorted({p.group for p in await engine.store.progress()}))
    return [(row, await engine.store.held([claim_of(row)], None, ALL)) for row in rows if row.held]


def _by_key(events: Sequence[Held]) -> Mapping[bytes | int, list[Held]]:
    """In order; a record without a key is a key of its own, named by its offset."""
    found: dict[bytes | int, list[Held]] = {}
    for event in sorted(events, key=lambda h: h.offset):
        found.setdefault(event.key if event.key is not None else event.offset, []).append(event)
    return found


def _bare(key: bytes | int) -> bytes | None:
    return key if isinstance(key, bytes) else None


def _event(group: str, h: Held) -> HeldEvent:
    part = Partition(*h.partition)
    return HeldEvent(group, entry(part, h), None if h.due is None else from_micro(h.due), h.attempt, h.error)
