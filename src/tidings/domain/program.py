"""A program: services put together and checked as a whole, and what a runtime needs to know about them.

Every service, and every projection of it, is a *group*: one position in the log, the topics it reads, the handlers it
has for each type. Commands travel in the topic `<service>.commands` of the service that handles them. Hearing a base
class is hearing all its subclasses that the program knows: those named in some signature, and those in a module.

    services -> composition (who hears, tells, keeps what) -> rules -> groups, topics, tables
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

from tidings.delivery.policy import Guarantee, Retry, Start
from tidings.domain import rules
from tidings.domain.columns import plan_of
from tidings.domain.composition import Composition, command_topic_name
from tidings.domain.graph import Graph, edges_of
from tidings.domain.resource import Resource
from tidings.domain.saga import Saga
from tidings.domain.service import Projection, Service
from tidings.domain.signature import Handler
from tidings.domain.state import Aggregate, Row, State, folds
from tidings.engine import port
from tidings.engine.port import Table
from tidings.errors import DefinitionError
from tidings.event.message import Command, Event, Message, info_of
from tidings.event.outcome import check_key, outcomes_of
from tidings.event.registry import Registry
from tidings.event.topic import Topic, collisions

ELSEWHERE = "elsewhere.commands"  # where a part of a program sends what nobody in it handles


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """One position in the log. `name`: of the consumer group; `node`: in the graph.

    `handlers`: for each class as it may arrive, in the order written. `ticks`: the scheduled ones. `heard`: what the
    signatures name. `ignores`: names of its topics that the program knows and this group does not hear. `closed`: those
    of its topics where an unknown name pauses it.
    """

    name: str
    node: str
    service: Service
    projection: Projection | None
    topics: tuple[str, ...]
    handlers: Mapping[type[Message], tuple[Handler, ...]]
    heard: tuple[type[Message], ...]
    ticks: tuple[Handler, ...] = ()
    sagas: tuple[type[Saga[Any]], ...] = ()
    ignores: frozenset[str] = frozenset()
    closed: frozenset[str] = frozenset()

    @property
    def guarantee(self) -> Guarantee:
        return "exactly-once" if self.projection is not None else self.service.guarantee

    @property
    def retry(self) -> Retry:
        return self.service.retry or Retry()

    @property
    def start(self) -> Start:
        return "beginning" if self.projection is not None else self.service.start


class Program(Composition):
    """Raises DefinitionError where the services do not fit together.

    `partial`: a part of a larger program, as in the test of one service: nobody in it need handle or make everything.
    """

    def __init__(self, name: str, services: Sequence[Service], *, partial: bool = False) -> None:
        super().__init__(name, services, partial=partial)
        rules.names(self)
        self.registry = Registry(self._known())
        for message in self.registry.values():
            if key := info_of(message).key:
                check_key(message, key)
        self.topics: Mapping[str, Topic] = MappingProxyType(self._topics())
        rules.check(self)
        self.tables: Mapping[type[Row], Table] = MappingProxyType(self._tables())
        self.groups = tuple(self._groups())

    # ---- what is kept where ----

    @cached_property
    def owners(self) -> Mapping[type[State], Service]:
        """The one service that keeps this state."""
        found: dict[type[State], Service] = {}
        for service, state in self.states():
            found.setdefault(state, service)
        return found

    @property
    def aggregates(self) -> tuple[type[Aggregate], ...]:
        return tuple(state for state in self.owners if issubclass(state, Aggregate))

    # ---- what travels where ----

    def command_topic(self, command: type[Message]) -> str:
        """The topic that this command travels in. Raises DefinitionError where nobody handles it."""
        handled = self.commands.get(command)
        if handled is not None:
            return handled.topic
        if self.partial:
            return ELSEWHERE
        raise DefinitionError(f"no service of {self.name!r} handles {command.__name__}", hint="@service.command")

    def topic_of(self, message: type[Message]) -> Topic | None:
        """Its topic; None for a private event."""
        return self.topics[self.command_topic(message)] if issubclass(message, Command) else info_of(message).topic

    def family(self, message: type[Message]) -> tuple[type[Message], ...]:
        """The class and its subclasses that this program knows."""
        return tuple(known for known in self.registry.values() if issubclass(known, message))

    def resource(self, service: Service, makes: Any) -> Resource | None:
        """What makes it for this service: its own resource, or else that of another."""
        for one in (service, *self.services):
            if makes in one.resources:
                return one.resources[makes]
        return None

    def port_topics(self) -> tuple[port.Topic, ...]:
        """All topics as an engine declares them."""
        return tuple(port_topic(topic) for topic in self.topics.values())

    def graph(self) -> Graph:
        handlers = {command: handled.service.name for command, handled in self.commands.items()}
        return Graph(edges_of(self.told(), handlers, [(one.node, one.heard) for one in self.groups], self.family))

    # ---- building ----

    def _known(self) -> Iterator[type[Message]]:
        """Every message that a signature names, and the subclasses of what is heard."""
        found: dict[type[Message], None] = {}
        for _, handler in self.handlers():
            for heard in handler.hears if handler.kind != "every" else ():
                found |= dict.fromkeys(_with_subclasses(heard))
            found |= dict.fromkeys((*handler.tells, *handler.cancels))
            for aggregate in handler.aggregates:
                found |= dict.fromkeys(one for event in folds(aggregate) for one in _with_subclasses(event))
        for _, saga in self.sagas():
            found |= dict.fromkeys(one for event in saga.__starts__ for one in _with_subclasses(event))
        found |= dict.fromkeys(message for _, message in self.told())
        for command in tuple(found):
            if issubclass(command, Command):
                found |= dict.fromkeys(one for event in outcomes_of(command).all for one in _with_subclasses(event))
        return iter(found)

    def _topics(self) -> dict[str, Topic]:
        found: dict[str, Topic] = {}
        declared = [topic for message in self.registry.values() if (topic := info_of(message).topic)]
        for topic in declared:
            if found.setdefault(topic.name, topic) != topic:
                raise DefinitionError(
                    f"topic {topic.name!r} is declared in two ways: {found[topic.name]} and {topic}",
                    hint="declare it once, and import it",
                )
        taken = {service.name + end for service in self.services for end in (".commands", ".answers")}
        if clash := sorted(taken & set(found)):
            raise DefinitionError(
                f"topic {clash[0]!r} is where {clash[0].rpartition('.')[0]!r} is asked and answered",
                hint="give the topic of the events another name",
            )
        for name in self._command_topics():
            found[name] = Topic(name)
        for one, other in collisions(found):
            warnings.warn(
                f"topics {one!r} and {other!r} differ only in '.' and '_': Kafka's metrics take them for one",
                stacklevel=4,
            )
        return found

    def _command_topics(self) -> Iterator[str]:
        for service in self.services:
            if any(handler.kind in {"command", "every"} for handler in service.handlers):
                yield command_topic_name(service)
        if self.partial:
            yield ELSEWHERE

    def _tables(self) -> dict[type[Row], Table]:
        versions = {row: made.version for one in self.services for made in one.projections for row in made.rows}
        found: dict[type[Row], Table] = {}
        for state in self.owners:
            if issubclass(state, Row):
                table, version = plan_of(state).table, versions.get(state, 1)
                found[state] = table if version == 1 else Table(f"{table.name}_v{version}", table.columns)
        return found

    def _groups(self) -> Iterator[Group]:
        for service in self.services:
            group = self._group(service, None, service.handlers, service.sagas)
            if group.topics:
                yield group
            for projection in service.projections:
                yield self._group(service, projection, projection.handlers, ())

    def _group(
        self, service: Service, made: Projection | None, handlers: Iterable[Handler], sagas: Iterable[type[Saga[Any]]]
    ) -> Group:
        ticks = tuple(handler for handler in handlers if handler.kind == "every")
        hearing = [handler for handler in handlers if handler.kind != "every"]
        heard = [one for handler in hearing for one in handler.hears]
        heard += [event for saga in sagas for event in saga_hears(saga)]
        arriving = dict.fromkeys(one for base in heard for one in self._arriving(base))
        topics = [topic.name for one in arriving if (topic := self.topic_of(one))]
        topics += [command_topic_name(service)] if ticks else []
        names = tuple(dict.fromkeys(topics))
        there = {name for name, one in self.registry.items() if self._placed(one) in names}
        return Group(
            made.group if made else service.name,
            made.name if made else service.name,
            service,
            made,
            names,
            {
                one: tuple(h for h in hearing if any(one in self._arriving(base) for base in h.hears))
                for one in arriving
            },
            tuple(dict.fromkeys(heard)),
            ticks,
            tuple(sagas),
            frozenset(there - {info_of(one).name for one in arriving}),
            frozenset(name for name in names if self.topics[name].closed),
        )

    def _arriving(self, heard: type[Message]) -> tuple[type[Message], ...]:
        """A base event brings its family; a command is the one that its handler names."""
        return (heard,) if issubclass(heard, Command) else self.family(heard)

    def _placed(self, message: type[Message]) -> str | None:
        if issubclass(message, Command):
            return self.commands[message].topic if message in self.commands else None
        topic = info_of(message).topic
        return topic.name if topic else None


def saga_hears(saga: type[Saga[Any]]) -> tuple[type[Event], ...]:
    """What starts it, and every outcome of what its steps and undos ask."""
    steps = [each.command for each in saga.__steps__]
    undos = [each.undo_command for each in saga.__steps__ if each.undo_command is not None]
    outcomes = [event for command in (*steps, *undos) for event in outcomes_of(command).all]
    return tuple(dict.fromkeys([*saga.__starts__, *outcomes]))


def port_topic(topic: Topic) -> port.Topic:
    return port.Topic(
        topic.name,
        topic.partitions,
        topic.retention.total_seconds() if topic.retention is not None else None,
        topic.retention_bytes,
        topic.compacted,
        topic.hold_for_groups,
    )


def _with_subclasses(message: type[Message]) -> Iterator[type[Message]]:
    """The class and those below it that stand in a module; one made inside a function is known by its signatures."""
    yield message
    for below in message.__subclasses__():
        for one in _with_subclasses(below):
            if getattr(sys.modules.get(one.__module__), one.__qualname__, None) is one:
                yield one
