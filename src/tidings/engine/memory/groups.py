"""Groups: who has which partition, what is held there, which timers wait, and what operators do to them."""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping, Sequence

from msgspec import structs

from tidings.clock import Clock
from tidings.engine.memory.retention import TRUNCATED
from tidings.engine.memory.tables import ProgressRow, StoreTables, closed
from tidings.engine.port import Act, Progress
from tidings.engine.unit import Claim, Held, Partition, Timer
from tidings.engine.wake import Wake


class Groups:
    """The half of the store that is about groups."""

    def __init__(self, tables: StoreTables, clock: Clock, wake: Wake) -> None:
        self._tables, self._clock, self.wake = tables, clock, wake

    @property
    def t(self) -> StoreTables:
        if self._tables.closed:
            raise closed()
        return self._tables

    # ---- claims ----

    async def claim(self, group: str, member: str, start: Mapping[Partition, int]) -> Sequence[Claim]:
        for part, at in start.items():
            row = self._row(group, part, at)
            row.epoch, row.owner, row.tries = row.epoch + 1, member, row.tries + 1
        self.wake.call()
        return [_claim(group, part, self.t.progress[group, part]) for part in start]

    def _row(self, group: str, part: Partition, at: int) -> ProgressRow:
        """Epochs go on where a removed group of this name ended: its members must stay fenced."""
        epoch = self.t.epochs.get((group, part), 0)
        return self.t.progress.setdefault((group, part), ProgressRow(at, epoch))

    async def renew(self, claims: Sequence[Claim]) -> Sequence[Claim | None]:
        rows = [self.t.progress.get((c.group, c.partition)) for c in claims]
        return [
            _claim(c.group, c.partition, row) if row is not None and row.epoch == c.epoch else None
            for c, row in zip(claims, rows, strict=True)
        ]

    async def release(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            row = self.t.progress.get((claim.group, claim.partition))
            if row is not None and row.epoch == claim.epoch:
                row.owner, row.tries = "", 0

    async def held(self, claims: Sequence[Claim], due: int | None, limit: int) -> Sequence[Held]:
        found: list[Held] = []
        for claim in claims:
            keys: set[bytes] = set()
            row = self.t.progress.get((claim.group, claim.partition), ProgressRow(0))
            for _, held in sorted(row.held.items()):
                head = held.key is None or held.key not in keys
                keys |= set() if held.key is None else {held.key}
                if due is None or (head and held.due is not None and held.due <= due):
                    found.append(held)
        return found[:limit]

    async def timers(self, claims: Sequence[Claim], limit: int) -> Sequence[Timer]:
        mine = {(claim.group, claim.partition) for claim in claims}
        found = [timer for (group, _), timer in self.t.timers.items() if (group, timer.partition) in mine]
        return sorted(found, key=lambda timer: (timer.due, timer.name))[:limit]

    # ---- operators ----

    async def progress(self, group: str | None = None) -> Sequence[Progress]:
        rows = sorted(self.t.progress.items(), key=lambda item: item[0])
        return [_progress(name, part, row) for (name, part), row in rows if group in (None, name)]

    async def move(
        self, group: str, to: Mapping[Partition, int], clear: Sequence[str] = (), *, muted: bool = False
    ) -> None:
        tables = [self.t.table(name).name for name in clear]
        for part, at in to.items():
            row = self._row(group, part, 0)
            row.muted = max(row.next, row.muted) if muted else 0
            row.next, row.epoch, row.held_gen, row.tries = at, row.epoch + 1, row.held_gen + 1, 0
            row.marks, row.held = {}, {}
            if row.paused is not None and row.paused.startswith(TRUNCATED):
                row.paused = None
            self._drop_timers(group, part)
        self.t.rows = {address: row for address, row in self.t.rows.items() if address.space not in tables}
        self._act("reset", group, to=_names(to), clear=tables, muted=muted)

    async def set_paused(self, group: str, partitions: Sequence[Partition], reason: str | None) -> None:
        known = [part for part in partitions if (group, part) in self.t.progress]
        for part in known:
            row = self.t.progress[group, part]
            row.paused, row.held_gen = reason, row.held_gen + 1
        self._act("pause" if reason is not None else "resume", group, partitions=_names(known), reason=reason)

    async def redrive(self, group: str, partition: Partition, key: bytes | None, drop: bool) -> int:
        row = self.t.progress.get((group, partition), ProgressRow(0))
        parked = [held for held in row.held.values() if held.key == key and held.due is None]
        for held in parked:
            if drop:
                del row.held[held.offset]
            else:
                row.held[held.offset] = structs.replace(held, due=self._clock.now())
        row.held_gen += bool(parked)
        offsets = [held.offset for held in parked]
        self._act("drop" if drop else "redrive", group, partition=_name(partition), key=_shown(key), offsets=offsets)
        return len(parked)

    async def remove(self, group: str) -> None:
        for name, part in [place for place in self.t.progress if place[0] == group]:
            self.t.epochs[name, part] = self.t.progress.pop((name, part)).epoch
        self.t.timers = {name: timer for name, timer in self.t.timers.items() if name[0] != group}
        self.t.tallies.pop(group, None)
        self._act("remove", group)

    async def acts(self, limit: int) -> Sequence[Act]:
        return self.t.acts[::-1][:limit]

    def _act(self, act: str, group: str, **detail: object) -> None:
        self.t.acts.append(Act(self._clock.now(), _user(), act, group, json.dumps(detail)))
        self.wake.call()

    def _drop_timers(self, group: str, part: Partition) -> None:
        self.t.timers = {
            name: timer for name, timer in self.t.timers.items() if (name[0], timer.partition) != (group, part)
        }


def _claim(group: str, part: Partition, row: ProgressRow) -> Claim:
    marks = tuple(row.marks.values())
    return Claim(group, part, row.epoch, row.next, row.held_gen, row.tries, row.paused, marks, row.muted)


def _progress(group: str, part: Partition, row: ProgressRow) -> Progress:
    parked = sum(held.due is None for held in row.held.values())
    oldest = min((held.time for held in row.held.values()), default=None)
    return Progress(
        group, part, row.next, row.epoch, row.owner, row.held_gen, len(row.held), parked, oldest, row.paused
    )


def _name(part: Partition) -> str:
    return f"{part.topic}/{part.number}"


def _shown(key: bytes | None) -> str | None:
    return None if key is None else key.decode("utf-8", "backslashreplace")


def _names(parts: Mapping[Partition, int] | Sequence[Partition]) -> object:
    if isinstance(parts, Mapping):
        return {_name(part): at for part, at in parts.items()}
    return [_name(part) for part in parts]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return "unknown"
