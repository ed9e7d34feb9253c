"""A program on an engine: everything that a client or a worker of one process needs, put together once.

The program (services, handlers, types) is a description and knows no engine; an engine knows only bytes. Here they
meet: codecs for the types, ways for the messages, kinds for the states, a subscription for each group.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tidings.clock import Clock
from tidings.delivery.decision import Kind
from tidings.delivery.outgoing import Outgoing, Way
from tidings.domain.answers import ANSWER_PARTITIONS, answers_topic
from tidings.domain.kinds import RowKind, StreamKind
from tidings.domain.program import Program, port_topic
from tidings.domain.rows import Addresses
from tidings.domain.saga_run import TABLE, SagaKind
from tidings.domain.state import Aggregate, Row, folds
from tidings.engine.port import Engine, Topic
from tidings.errors import DefinitionError, Refused
from tidings.event.codec import Codec
from tidings.event.envelope import COMMAND, EVENT
from tidings.event.message import Command, Event, Message, info_of
from tidings.event.outcome import key_reader, outcomes_of


class Runtime:
    def __init__(self, program: Program, engine: Engine, clock: Clock, threads: int = 8) -> None:
        self.program, self.engine, self.clock = program, engine, clock
        self.addresses = Addresses(program.tables)
        self.codecs: dict[str, Codec[Any]] = {n: Codec(c) for n, c in program.registry.items()}
        self.ways: dict[type, Way] = {c: self._way(c) for c in program.registry.values()}
        self.outside = Outgoing(program.name, self.ways)
        self.streams: dict[type[Aggregate], StreamKind] = {a: self._stream(a) for a in program.aggregates}
        self.kinds: dict[type, Kind] = {**self.streams, **{r: RowKind(r, engine.store) for r in program.tables}}
        self.saga_kind = SagaKind(engine.store)
        self.pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="tidings-handler")
        self.running: set[str] = set()  # groups with a member in this process
        self.busy: Callable[[], bool] = lambda: False

    async def prepare(self) -> None:
        """Declare what the program needs. Raises Refused where the stored declarations disagree."""
        answers = [Topic(answers_topic(g), ANSWER_PARTITIONS) for g in sorted(self.saga_groups)]
        await self.engine.log.declare([*self.program.port_topics(), *answers])
        await self.engine.store.tables([*self.program.tables.values(), *[TABLE] * bool(answers)])
        for group in self.program.groups:
            if group.projection is not None and group.projection.ddl is not None:
                await self.engine.store.script(group.name, group.projection.ddl)

    @property
    def saga_groups(self) -> set[str]:
        return {g.name for g in self.program.groups if g.sagas}

    # ---- for clients ----

    def owner(self, row: type[Row]) -> str:
        """The group that writes the rows of this table."""
        for group in self.program.groups:
            if group.projection is not None and row in group.projection.rows:
                return group.name
        service = self.program.owners.get(row)
        if service is None:
            raise DefinitionError(f"no service of {self.program.name!r} keeps {row.__name__}")
        return service.name

    def select(self, row: type[Row]) -> str:
        self.owner(row)
        table = self.program.tables[row]
        columns = ", ".join(f'"{name}"' for name, _ in table.columns)
        return f'select {columns} from "{table.name}" '  # noqa: S608 -- names of declared tables, checked when declared

    @staticmethod
    def select_all(table: str) -> str:
        """All of a table that a projection's own script made; its name comes from the store."""
        if '"' in table:
            raise Refused(f"a table called {table!r} cannot be read", hint="use letters, digits and underscores")
        return f'select * from "{table}"'  # noqa: S608 -- quoted, and checked above

    async def learn(self, message: type[Message]) -> None:
        """A type that no service of this program hears: whoever publishes it need not know who will."""
        info = info_of(message)
        if info.topic is None or issubclass(message, Command):
            raise Refused(
                f"{message.__name__} is no part of {self.program.name!r} and has no topic",
                hint="give the event a topic=; a command needs a service that handles it",
            )
        known = self.program.registry.get(info.name)
        if known is not None and known is not message:
            raise DefinitionError(f"two messages are called {info.name!r}", hint="give one a name=")
        await self.engine.log.declare([port_topic(info.topic)])
        codec = self.codecs[info.name] = Codec(message)
        self.ways[message] = Way(
            info.name, info.version, EVENT, info.topic.name, info.topic.partitions, codec.encode, key_reader(message)
        )

    def check_public(self, message: type[Message]) -> None:
        """Raises Refused where messages of this type are private to their streams."""
        if self.ways[message].topic is None:
            raise Refused(
                f"{message.__name__} has no topic: it is private to its stream",
                hint="give it a topic, or let a command of its aggregate tell it",
            )

    # ---- types ----

    def _way(self, message: type[Message]) -> Way:
        info = info_of(message)
        codec, topic = self.codecs[info.name], self.program.topic_of(message)
        name, partitions = (topic.name, topic.partitions) if topic is not None else (None, 1)
        outcomes: frozenset[str] = frozenset()
        if issubclass(message, Command):
            promised = [one for event in outcomes_of(message).all for one in self.program.family(event)]
            outcomes = frozenset(info_of(o).name for o in promised)
        kind = EVENT if issubclass(message, Event) else COMMAND
        return Way(info.name, info.version, kind, name, partitions, codec.encode, key_reader(message), outcomes)

    def _stream(self, aggregate: type[Aggregate]) -> StreamKind:
        names = [info_of(one).name for event in folds(aggregate) for one in self.program.family(event)]
        return StreamKind(aggregate, {n: self.codecs[n] for n in names}, self.engine.store)

    def close(self) -> None:
        self.pool.shutdown(wait=False, cancel_futures=True)
