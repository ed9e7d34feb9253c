"""Services: a named group of handlers that share one position in the log.

A service is a description: decorators read a function, check it, keep it, and give it back as it was, so that a test
may call it. Nothing runs here.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any, Concatenate, LiteralString, ParamSpec, TypeAlias, get_args, overload

from typing_extensions import TypeVar

from tidings.delivery.policy import Guarantee, Retry, Start, Tick
from tidings.domain.checks import check
from tidings.domain.resource import Resource, read_resource
from tidings.domain.saga import Saga
from tidings.domain.signature import Handler, Kind, read
from tidings.domain.state import Delete, Row
from tidings.errors import DefinitionError
from tidings.event.message import Cancel, Command, Event, Later

Effect: TypeAlias = Event | Command[Any, Any] | Row | Delete[Any] | Later[Any] | Cancel[Any]
Effects: TypeAlias = Effect | Iterable[Effect] | None

P = ParamSpec("P")
E = TypeVar("E", bound=Event)
C = TypeVar("C", bound=Command[Any, Any])
R = TypeVar("R", bound=Effects | Awaitable[Effects])
SagaT = TypeVar("SagaT", bound=Saga[Any])
ResourceT = TypeVar("ResourceT", bound=Callable[..., object])
_name = re.compile(r"[a-zA-Z][a-zA-Z0-9._-]{0,99}")


class _Reader:
    """A decorator's options, waiting for the function; its subclasses tell type checkers what that may hear."""

    def __init__(self, keep: Callable[[Handler], None], kind: Kind, **options: Any) -> None:
        self._keep = keep
        self._kind: Kind = kind
        self._options = options

    def _read(self, function: Callable[..., Any]) -> None:
        self._keep(read(function, self._kind, **self._options))


class OnEvent(_Reader):
    """`@service.on(...)`."""

    def __call__(self, function: Callable[Concatenate[E, P], R], /) -> Callable[Concatenate[E, P], R]:
        self._read(function)
        return function


class OnCommand(_Reader):
    """`@service.command(...)`."""

    def __call__(self, function: Callable[Concatenate[C, P], R], /) -> Callable[Concatenate[C, P], R]:
        self._read(function)
        return function


class OnTick(_Reader):
    """`@service.every(...)`."""

    def __call__(self, function: Callable[Concatenate[Tick, P], R], /) -> Callable[Concatenate[Tick, P], R]:
        self._read(function)
        return function


class _Part:
    """What has a name and handlers: a service, or a projection of it."""

    def __init__(self, name: str) -> None:
        if not _name.fullmatch(name):
            raise DefinitionError(
                f"service name {name!r} is not allowed", hint="a letter, then letters, digits, '.', '_', '-'"
            )
        self.name = name
        self.handlers: list[Handler] = []

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def _keep(self, handler: Handler) -> None:
        check(handler)
        if twin := next((one for one in self.handlers if one.name == handler.name), None):
            raise DefinitionError(
                f"{self.name!r} has two handlers called {handler.name!r}: {twin.where} and {handler.where}",
                hint="rename one: a handler's name is part of its idempotency key",
            )
        self.handlers.append(handler)


class Projection(_Part):
    """Rows that are only a fold of events, so they can be thrown away and rebuilt. Its own consumer group.

    `version`: raised when the folds change; the new version is built beside the old one, under its own group.
    """

    def __init__(self, name: str, rows: tuple[type[Row], ...], ddl: str | None, version: int) -> None:
        super().__init__(name)
        if version < 1:
            raise DefinitionError(f"projection {name!r} is version {version}", hint="versions count from 1")
        self.rows, self.ddl, self.version = rows, ddl, version

    @property
    def group(self) -> str:
        """The consumer group: another one for each version."""
        return self.name if self.version == 1 else f"{self.name}.v{self.version}"

    @overload
    def on(self, function: Callable[Concatenate[E, P], R], /) -> Callable[Concatenate[E, P], R]: ...
    @overload
    def on(self, *, retry: Retry | None = None, blocking: bool = False) -> OnEvent: ...
    def on(self, function: Any = None, *, retry: Retry | None = None, blocking: bool = False) -> Any:
        """Fold the events that the first parameter names; return the rows that changed."""
        maker = OnEvent(self._keep, "projection", retry=retry, blocking=blocking)
        return maker if function is None else maker(function)

    def _keep(self, handler: Handler) -> None:
        super()._keep(handler)
        for row in dict.fromkeys([*handler.states, *handler.writes]):
            if row not in self.rows:
                self.handlers.pop()
                raise DefinitionError(
                    f"{handler.where}: projection {self.name!r} does not own {row.__name__}",
                    hint=f"projection({row.__name__}, ...), or keep it by a service's own handler",
                )


class Service(_Part):
    """A part of the system that knows only messages. Its name is its consumer group.

    `guarantee`: what a crash does. `"exactly-once"`: effects and progress commit together. `"at-least-once"`: the
    handler first, then progress. `"at-most-once"`: progress first, no retry, and so no effects.
    `start`: where the group begins when it is new. `retry`: for every handler without its own.
    """

    def __init__(
        self,
        name: str,
        *,
        guarantee: Guarantee = "exactly-once",
        retry: Retry | None = None,
        start: Start = "beginning",
    ) -> None:
        super().__init__(name)
        if guarantee not in get_args(Guarantee):
            raise DefinitionError(f"{guarantee!r} is no guarantee", hint=", ".join(map(repr, get_args(Guarantee))))
        if isinstance(start, str) and start not in {"beginning", "end"}:
            raise DefinitionError(f"a group cannot start at {start!r}", hint="'beginning', 'end', or a datetime")
        if not isinstance(start, str) and start.tzinfo is None:
            raise DefinitionError(f"start={start} has no time zone", hint="datetime(..., tzinfo=UTC)")
        self.guarantee, self.retry, self.start = guarantee, retry, start
        self.projections: list[Projection] = []
        self.sagas: list[type[Saga[Any]]] = []
        self.resources: dict[Any, Resource] = {}

    @overload
    def on(self, function: Callable[Concatenate[E, P], R], /) -> Callable[Concatenate[E, P], R]: ...
    @overload
    def on(self, *, retry: Retry | None = None, blocking: bool = False) -> OnEvent: ...
    def on(self, function: Any = None, *, retry: Retry | None = None, blocking: bool = False) -> Any:
        """Hear the events that the first parameter names; the return annotation says what may come of it."""
        maker = OnEvent(self._keep, "on", retry=retry, blocking=blocking)
        return maker if function is None else maker(function)

    @overload
    def command(self, function: Callable[Concatenate[C, P], R], /) -> Callable[Concatenate[C, P], R]: ...
    @overload
    def command(self, *, retry: Retry | None = None, blocking: bool = False) -> OnCommand: ...
    def command(self, function: Any = None, *, retry: Retry | None = None, blocking: bool = False) -> Any:
        """Do what is asked; the only handler of that command in the whole system."""
        maker = OnCommand(self._keep, "command", retry=retry, blocking=blocking)
        return maker if function is None else maker(function)

    def every(self, interval: timedelta, /, *, retry: Retry | None = None, blocking: bool = False) -> OnTick:
        """Call the function with a Tick, once per interval in the whole system, late rather than never."""
        return OnTick(self._keep, "every", every=interval, retry=retry, blocking=blocking)

    def saga(self, cls: type[SagaT], /) -> type[SagaT]:
        """Run this saga in the service's own group."""
        given: Any = cls
        if not (isinstance(given, type) and issubclass(given, Saga)):
            raise DefinitionError(f"{cls!r} is no saga", hint="class Checkout(Saga[OrderPlaced])")
        if self.guarantee == "at-most-once":
            raise DefinitionError(
                f"saga {cls.__name__} in {self.name!r}, which is at-most-once", hint="it could be lost"
            )
        if cls in self.sagas:
            raise DefinitionError(f"saga {cls.__name__} is in {self.name!r} already")
        self.sagas.append(cls)
        return cls

    def projection(
        self, *rows: type[Row], ddl: LiteralString | None = None, version: int = 1, name: str | None = None
    ) -> Projection:
        """Tables filled by folds. `ddl` makes tables of your own, to be filled through a Transaction.

        Its group is `<service>.<first table>` (`<service>.sql` without rows), or `<service>.<name>`.
        """
        if not rows and ddl is None:
            raise DefinitionError("a projection needs rows or ddl", hint="projection(OrderRow), or projection(ddl=...)")
        made = Projection(f"{self.name}.{name or (rows[0].__space__ if rows else 'sql')}", rows, ddl, version)
        if any(one.name == made.name for one in self.projections):
            raise DefinitionError(f"two projections are called {made.name!r}", hint="projection(..., name=...)")
        self.projections.append(made)
        return made

    def resource(self, function: ResourceT, /) -> ResourceT:
        """Makes what handlers ask for by type: opened once a process, closed at the end."""
        made = read_resource(function)
        if made.makes in self.resources:
            raise DefinitionError(f"{made.where}: {self.name!r} makes {made.name} already", hint="one resource a type")
        self.resources[made.makes] = made
        return function

    def _keep(self, handler: Handler) -> None:
        if self.guarantee == "at-most-once" and (
            handler.emits or handler.deletes or handler.cancels or handler.states or handler.transactional
        ):
            raise DefinitionError(
                f"{handler.where} emits or keeps state, but {self.name!r} is at-most-once",
                hint="its effects could be lost: move it to a service with another guarantee",
            )
        super()._keep(handler)
