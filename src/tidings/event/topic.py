"""A topic: a named log, cut into partitions. Events of one key lie in one partition, and there their order holds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from tidings.clock import days
from tidings.errors import DefinitionError

LONGEST = 249  # Kafka's limit: a name becomes a directory
_allowed = re.compile(r"[a-zA-Z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Topic:
    """A named log. The key of an event chooses the partition; order holds inside a partition.

    `partitions` stays as it is for the life of the topic, because keys would move. `retention`: how long events are
    kept, None for ever; `retention_bytes`: and how many bytes of them. `compacted`: only the newest event of each key
    is sure to stay. `hold_for_groups`: events that a group has not handled stay, whatever their age (not on Kafka).
    `closed`: a type that a group does not know pauses it, instead of being passed over.

    Raises DefinitionError for a name that Kafka would refuse, or a number that makes no sense.
    """

    name: str
    partitions: int = 8
    retention: timedelta | None = days(7)
    retention_bytes: int | None = None
    compacted: bool = False
    hold_for_groups: bool = False
    closed: bool = False

    def __post_init__(self) -> None:
        if not _allowed.fullmatch(self.name) or self.name in {".", ".."}:
            raise DefinitionError(f"topic name {self.name!r} is not allowed", hint="letters, digits, '.', '_', '-'")
        if len(self.name) > LONGEST:
            raise DefinitionError(
                f"topic name {self.name[:20]}… has {len(self.name)} letters", hint=f"at most {LONGEST}"
            )
        if self.partitions < 1:
            raise DefinitionError(f"topic {self.name!r} has {self.partitions} partitions", hint="one or more")
        if self.retention is not None and self.retention <= timedelta(0):
            raise DefinitionError(f"topic {self.name!r} keeps nothing", hint="retention=None keeps events for ever")
        if self.retention_bytes is not None and self.retention_bytes < 1:
            raise DefinitionError(f"topic {self.name!r} keeps nothing", hint="retention_bytes=None sets no such limit")


def collisions(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of names that differ only in '.' and '_': Kafka's metrics take them for one."""
    seen: dict[str, str] = {}
    found = []
    for name in sorted(set(names)):
        first = seen.setdefault(name.replace(".", "_"), name)
        if first != name:
            found.append((first, name))
    return found
