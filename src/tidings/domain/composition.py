"""The services of a program side by side: who hears, tells, asks and keeps what. Only read, nothing checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tidings.domain.saga import Saga, saga_commands, said_by
from tidings.domain.service import Service
from tidings.domain.signature import Handler
from tidings.domain.state import State
from tidings.errors import DefinitionError
from tidings.event.message import Message


@dataclass(frozen=True, slots=True)
class Handled:
    """Who does what a command asks."""

    service: Service
    handler: Handler
    topic: str


class Composition:
    """`partial`: a part of a larger program, as in the test of one service."""

    def __init__(self, name: str, services: Sequence[Service], *, partial: bool = False) -> None:
        self.name = name
        self.services = tuple(services)
        self.partial = partial

    def handlers(self) -> Iterator[tuple[Service, Handler]]:
        """Every handler, those of projections too."""
        for service in self.services:
            for handler in service.handlers:
                yield service, handler
            for projection in service.projections:
                for handler in projection.handlers:
                    yield service, handler

    def sagas(self) -> Iterator[tuple[Service, type[Saga[Any]]]]:
        for service in self.services:
            for saga in service.sagas:
                yield service, saga

    def told(self) -> Iterator[tuple[str, type[Message]]]:
        """(service, event or command) of everything that may be told or asked."""
        for service, handler in self.handlers():
            for message in handler.tells:
                yield service.name, message
        for service, saga in self.sagas():
            for message in (*saga_commands(saga), *said_by(saga.completed), *said_by(saga.failed)):
                yield service.name, message

    def states(self) -> Iterator[tuple[Service, type[State]]]:
        for service in self.services:
            for projection in service.projections:
                for row in projection.rows:
                    yield service, row
        for service, handler in self.handlers():
            for state in (*handler.states, *handler.writes):
                yield service, state

    @cached_property
    def commands(self) -> Mapping[type[Message], Handled]:
        """Who handles each command. Raises DefinitionError where two do."""
        found: dict[type[Message], Handled] = {}
        for service, handler in self.handlers():
            if handler.kind != "command":
                continue
            command = handler.hears[0]
            if command in found:
                raise DefinitionError(
                    f"{command.__name__} has two handlers: {found[command].handler.where} and {handler.where}",
                    hint="a command has one; make it an event if several should hear",
                )
            found[command] = Handled(service, handler, command_topic_name(service))
        return found


def command_topic_name(service: Service) -> str:
    return f"{service.name}.commands"
