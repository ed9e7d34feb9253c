"""What came of it: committed units read back as what handlers returned, in a form that can be compared.

Message           told or asked; the order of messages counts
Row               written, as it was at the end
Gone              deleted: a Delete, of which only the key matters
Later             set, as (message, after)
Forgotten         a waiting message was cancelled: a Cancel
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeAlias

import msgspec

from tidings.domain.columns import from_values
from tidings.domain.effects import LATER, later_name
from tidings.domain.runtime import Runtime
from tidings.domain.service import Effect
from tidings.domain.state import Delete, Row
from tidings.engine.unit import Address, Event, Held, Timer
from tidings.errors import TidingsError
from tidings.event.envelope import INTERNAL, unpack
from tidings.event.message import Cancel, Later, Message
from tidings.event.partition import key_text
from tidings.testing.record import Kept

_load = msgspec.msgpack.Decoder(tuple[str | None, int, bytes | None, bytes, bytes, bytes | None]).decode


@dataclass(frozen=True, slots=True)
class Gone:
    row: type[Row]
    key: str

    def __str__(self) -> str:
        return f"Delete({self.row.__name__} {self.key!r})"


@dataclass(frozen=True, slots=True)
class Forgotten:
    name: str

    def __str__(self) -> str:
        _, message, key = self.name.split("/", 2)
        return f"Cancel({message}, key={key!r})"


Other: TypeAlias = Row | Gone | Later[Any] | Forgotten


@dataclass(slots=True)
class Effects:
    """`others`: each address or name once, as it was in the end. The rest is why something did not come."""

    messages: list[Message] = field(default_factory=list)
    others: list[Other] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)
    retried: list[str] = field(default_factory=list)

    @property
    def nothing(self) -> bool:
        return not self.messages and not self.others


def expected(effects: Iterable[Effect]) -> Effects:
    """What a test says should come. Raises TidingsError for what is no effect."""
    found = Effects()
    for effect in effects:
        match effect:
            case Message():
                found.messages.append(effect)
            case Row() | Later():
                found.others.append(effect)
            case Delete(row=row):
                found.others.append(Gone(type(row), key_text(getattr(row, row.__key__))))
            case Cancel(message=message, key=key):
                found.others.append(Forgotten(later_name(message, key)))
            case _:
                raise TidingsError(
                    f"{effect!r} is no effect", hint="events, commands, rows, Delete, Later, Cancel; none: `then()`"
                )
    return found


class Reader:
    """Reads units of one runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._rows = {table.name: row for row, table in runtime.program.tables.items()}

    def effects(self, kept: Sequence[Kept]) -> Effects:
        """Of these units, those of groups: what a client told is no effect of a handler."""
        found = Effects()
        others: dict[object, Other] = {}
        held: dict[tuple[object, int], Held] = {}
        for one in kept:
            unit = one.unit
            if not unit.group:
                continue
            found.messages += [m for event in one.events if (m := self.message(event)) is not None]
            for write in unit.writes:
                if (row := self._row(write.address, write.values)) is not None:
                    others[write.address] = row
            others |= {name: Forgotten(name) for name in unit.cancel if name.startswith("later/")}
            others |= {t.name: self._later(t, one.time) for t in unit.timers if self._is_new_later(t)}
            found.rejected += [note.text for note in unit.notes if note.outcome == "rejected"]
            for offset in unit.finish:
                held.pop(offset, None)
            held |= {(each.partition, each.offset): each for each in unit.hold}
        found.others = list(others.values())
        found.parked = [each.error for each in held.values() if each.due is None]
        found.retried = [each.error for each in held.values() if each.due is not None and each.error]
        return found

    def message(self, event: Event) -> Message | None:
        """None for a message of tidings itself."""
        head = unpack(event.head)
        if head.kind == INTERNAL:
            return None
        made: Message = self._runtime.codecs[head.name].decode(head.version, event.data)
        return made

    def _row(self, address: Address, values: Sequence[Any] | None) -> Row | Gone | None:
        row = self._rows.get(address.space)
        if row is None:  # a saga's
            return None
        return Gone(row, address.key) if values is None else from_values(row, values)

    @staticmethod
    def _is_new_later(timer: Timer) -> bool:
        """Not one that failed to be told and comes again."""
        return unpack(timer.head).name == LATER and timer.attempt == 0

    def _later(self, timer: Timer, at: int) -> Later[Any]:
        topic, partition, key, id, head, data = _load(timer.data or b"")
        message = self.message(Event(topic, partition, key, id, head, data))
        return Later(message, timedelta(microseconds=timer.due - at))
