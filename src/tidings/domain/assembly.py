"""The services of a program side by side: who hears, tells, asks and keeps what. Only read, nothing checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tidings.domain import rules
from tidings.domain.saga import Saga, saga_commands, said_by
from tidings.domain.service import Service
from tidings.domain.signature import Handler
from tidings.domain.state import State
from tidings.errors import DefinitionError
from tidings.event.message import Event, Message


@dataclass(frozen=True, slots=True)
class Handled:
    """Who does a command, and the topic it travels in."""

    service: Service
    handler: Handler
    topic: str


class Assembly:
    """Raises DefinitionError where two groups have one name, or one command two handlers."""

    def __init__(self, name: str, services: Sequence[Service], *, partial: bool = False) -> None:
        self.name = name
        self.services = tuple(services)
        self.partial = partial
        rules.names(self)

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

    def states(self) -> Iterator[tuple[Service, type[State]]]:
        """Every state with a service that uses it, once for each use."""
        for service, handler in self.handlers():
            for state in (*handler.states, *handler.writes):
                yield service, state
        for service in self.services:
            for projection in service.projections:
                for row in projection.rows:
                    yield service, row

    def told(self) -> Iterator[tuple[str, type[Message]]]:
        """(name of the sender, message): every event and command that may come of a handler or a saga."""
        for service, handler in self.handlers():
            for message in handler.tells:
                yield service.name, message
        for service, saga in self.sagas():
            for command in saga_commands(saga):
                yield service.name, command
            for end in (saga.completed, saga.failed):
                for message in said_by(end):
                    if issubclass(message, Event):
                        yield service.name, message

    @cached_property
    def commands(self) -> Mapping[type[Message], Handled]:
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


__all__ = ["Assembly", "Handled", "command_topic_name"]
