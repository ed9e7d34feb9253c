"""How a scenario's messages reach the part: as they would come from others, each when everything is at rest.

An event that an aggregate of the part folds goes into its stream, too, in the same commit. An event that answers a
command which a saga of the part asked carries that command's token, as the answer of a real participant does.
"""

from __future__ import annotations

from typing import Any

from tidings.domain.answers import rejection
from tidings.domain.columns import to_values
from tidings.domain.state import Aggregate, Row, folds
from tidings.engine.unit import Address, Unit, Write
from tidings.engine.unit import Event as Told
from tidings.errors import DefinitionError, TidingsError, did_you_mean
from tidings.event.envelope import COMMAND, Head, unpack
from tidings.event.message import Command, Event, Message, info_of
from tidings.event.outcome import key_of
from tidings.testing.harness import Harness


class Teller:
    def __init__(self, harness: Harness, part: str) -> None:
        self._harness, self._runtime, self._part = harness, harness.runtime, part
        self._answered: set[bytes] = set()
        self.clock = harness.clock

    async def given(self, fact: Message | Row) -> None:
        """Stored, folded, heard: whatever it is to the part."""
        if isinstance(fact, Row):
            await self._store(fact)
        elif isinstance(fact, Command):
            name = type(fact).__name__
            raise TidingsError(f"{name} is a command", hint="given is what has happened; when(command) asks")
        elif not self._folding(fact) and not self._hears(fact):
            raise self._stranger(fact, "neither hears nor folds")
        else:
            await self._tell(fact)

    async def arrives(self, message: Message | Row) -> None:
        if isinstance(message, Row):
            raise TidingsError(f"{type(message).__name__} is a row", hint="given(row) stores it")
        if not self._hears(message):
            raise self._stranger(message, "does not handle" if isinstance(message, Command) else "does not hear")
        await self._tell(message)

    async def rejects(self, command: type[Command[Any, Any]], reason: str) -> None:
        """The refusal of a saga's command, as the group that does it would tell it."""
        name = info_of(command).name
        asked = [head for _, head in self._saga_commands() if head.name == name]
        if not asked:
            raise TidingsError(f"{self._part!r} did not ask for {name}", hint="a step of its saga has to come that far")
        head = next((one for one in asked if one.id not in self._answered), asked[-1])
        self._answered.add(head.id)
        told = rejection(head, reason, self._part, self._runtime.clock.now())
        await self._harness.engine.store.commit([Unit(events=[told])])
        await self._harness.settle()

    async def _store(self, row: Row) -> None:
        if type(row) not in self._runtime.program.tables:
            raise self._stranger(row, "does not keep")
        address = self._runtime.addresses.of(type(row), getattr(row, row.__key__))
        await self._harness.engine.store.commit([Unit(writes=[Write(address, to_values(row))])])

    async def _tell(self, message: Message) -> None:
        now, outside = self._runtime.clock.now(), self._runtime.outside
        streams = [self._stream(a, message) for a in self._folding(message)]
        cause = self._asked(message)
        told = [outside.event(message, now, cause, stream=streams[0] if streams else None)]
        for stream in streams[1:]:
            again = outside.event(message, now, cause, stream=stream)
            told.append(Told(None, again.partition, again.key, again.id, again.head, again.data, stream))
        await self._harness.engine.store.commit([Unit(events=told)])
        await self._harness.settle()

    # ---- what it is to the part ----

    def _hears(self, message: Message) -> bool:
        name = info_of(type(message)).name
        return any(name in subscription.routes for subscription in self._harness.subscriptions)

    def _folding(self, message: Message) -> list[type[Aggregate]]:
        if not isinstance(message, Event):
            return []
        return [a for a in self._runtime.program.aggregates if isinstance(message, folds(a))]

    def _stream(self, aggregate: type[Aggregate], message: Message) -> Address:
        key = key_of(message)
        if key is None:
            raise TidingsError(
                f"{type(message).__name__} has no key, so nobody knows whose {aggregate.__name__} it belongs to",
                hint="give a command that leads to it, or mark its Key[...]",
            )
        return self._runtime.addresses.of(aggregate, key)

    def _asked(self, message: Message) -> Head | None:
        """The command of a saga that this event answers: of the same key first, one without an answer before others."""
        if not isinstance(message, Event):
            return None
        name, key = info_of(type(message)).name, self._runtime.ways[type(message)].key(message)
        found = [(k != key, head.id in self._answered, head) for k, head in self._saga_commands()]
        found = [one for one in found if name in self._outcomes(one[2].name)]
        if not found:
            return None
        head = min(found, key=lambda one: one[:2])[2]
        self._answered.add(head.id)
        return head

    def _saga_commands(self) -> list[tuple[bytes | None, Head]]:
        """Key and head of each command that a saga of the part asked so far."""
        told = [(event.key, unpack(event.head)) for kept in self._harness.recorder.kept for event in kept.events]
        return [(key, head) for key, head in told if head.kind == COMMAND and head.saga]

    def _outcomes(self, command: str) -> frozenset[str]:
        return self._runtime.ways[self._runtime.program.registry[command]].outcomes

    def _stranger(self, what: Message | Row, verb: str) -> DefinitionError:
        name = type(what).__name__
        known = {n for s in self._harness.subscriptions for n in s.routes if not n.startswith("tidings.")}
        tables = {row.__name__ for row in self._runtime.program.tables}
        return DefinitionError(f"{self._part!r} {verb} {name}", hint=did_you_mean(name, known | tables))
