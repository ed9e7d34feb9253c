"""What a handler's signature says: what it hears, what it is handed, what may come of it.

The first parameter is what is heard, the return annotation is what may come of it, every other parameter is found by
its type. The reader turns a function into a Handler, or raises DefinitionError with file and line and what to do.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin

from tidings.delivery.policy import Delivery, Retry, Tick
from tidings.domain.returns import Returns, read_returns
from tidings.domain.state import Aggregate, By, Row, Rows, State, Transaction
from tidings.errors import DefinitionError
from tidings.event.hints import bare, hints_of, parts, shown, where
from tidings.event.message import Command, Event, Message
from tidings.event.outcome import key_of

Kind: TypeAlias = Literal["on", "command", "every", "projection"]
ParamKind: TypeAlias = Literal["state", "rows", "resource", "delivery", "transaction"]


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter after the first. `type`: the state, row or resource; `optional`: None where no row is there."""

    name: str
    kind: ParamKind
    type: Any
    optional: bool = False
    by: By | None = None

    def find(self, message: Message) -> Any:
        """The key of the state for this message."""
        if self.by is None:
            return key_of(message)
        field = self.by.field
        return getattr(message, field) if isinstance(field, str) else field(message)


@dataclass(frozen=True, slots=True, eq=False)
class Handler:
    """A function with all that its signature says. It is called `function(message, *params)`, in this order.

    `name`: unique in its group. `hears`: as annotated; a base class stands for its subclasses. `emits`: every event,
    command and row that may come of it, those inside Later too; `deletes`, `cancels`: those inside Delete and Cancel.
    `every`: the interval of a scheduled one. `retry` None: as its service says.
    """

    function: Callable[..., Any]
    name: str
    where: str
    kind: Kind
    hears: tuple[type[Message], ...]
    params: tuple[Param, ...]
    emits: tuple[type, ...]
    deletes: tuple[type[Row], ...] = ()
    cancels: tuple[type[Message], ...] = ()
    blocking: bool = False
    is_async: bool = False
    retry: Retry | None = None
    every: timedelta | None = None

    @property
    def transactional(self) -> bool:
        return any(param.kind == "transaction" for param in self.params)

    @property
    def states(self) -> tuple[type[State], ...]:
        """Aggregates and rows that it is handed, also those behind Rows."""
        return tuple(dict.fromkeys(param.type for param in self.params if param.kind in {"state", "rows"}))

    @property
    def aggregates(self) -> tuple[type[Aggregate], ...]:
        return tuple(state for state in self.states if issubclass(state, Aggregate))

    @property
    def resources(self) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(param.type for param in self.params if param.kind == "resource"))

    @property
    def tells(self) -> tuple[type[Message], ...]:
        """The events and commands among what it emits."""
        return tuple(made for made in self.emits if issubclass(made, Message))

    @property
    def writes(self) -> tuple[type[Row], ...]:
        """The rows among what it emits or deletes."""
        made = [each for each in self.emits if issubclass(each, Row)]
        return tuple(dict.fromkeys([*made, *self.deletes]))


def read(
    function: Callable[..., Any],
    kind: Kind,
    *,
    blocking: bool = False,
    retry: Retry | None = None,
    every: timedelta | None = None,
) -> Handler:
    """Read a handler. What it says about the world is checked by `tidings.domain.checks`."""
    at = where(function)
    if not inspect.isfunction(inspect.unwrap(function)):
        raise DefinitionError(f"{function!r} is no function", hint="a handler is a def or an async def")
    hints = hints_of(function, at)
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters:
        raise DefinitionError(f"{at} takes nothing", hint="its first parameter says what it hears")
    if "return" not in hints:
        raise DefinitionError(f"{at} does not say what it may emit", hint="annotate the return, `-> None` if nothing")
    hears = _hears(at, kind, parameters[0].name, hints.get(parameters[0].name))
    params = tuple(_param(at, parameter, hints.get(parameter.name)) for parameter in parameters[1:])
    returns: Returns = read_returns(at, hints["return"])
    return Handler(
        function,
        getattr(function, "__name__", at),
        at,
        kind,
        hears,
        params,
        returns.emits,
        returns.deletes,
        returns.cancels,
        blocking,
        inspect.iscoroutinefunction(function) or returns.awaited,
        retry,
        every,
    )


def _hears(at: str, kind: Kind, name: str, hint: Any) -> tuple[type[Message], ...]:
    wanted: type[Message] = {"command": Command, "every": Tick}.get(kind, Event)  # type: ignore[assignment]
    if hint is None:
        raise DefinitionError(f"{at}: parameter {name!r} has no type", hint="annotate it: it says what is heard")
    found: list[type[Message]] = []
    for part in parts(bare(hint)):
        inner = bare(part)
        origin = get_origin(inner)
        if isinstance(origin, type) and issubclass(origin, Message) and origin is not Command:
            raise DefinitionError(
                f"{at} hears {shown(inner)}, which has no name in the log",
                hint=f"make a class of it: class Mine({shown(inner)})",
            )
        if not (isinstance(inner, type) and issubclass(inner, wanted)) or inner in {Event, Command}:
            raise DefinitionError(f"{at}: {name!r} is not {_noun[wanted]}", hint=_hint[wanted])
        found.append(inner)
    return tuple(dict.fromkeys(found))


_noun: dict[type, str] = {Command: "a command", Tick: "a Tick", Event: "an event"}
_hint: dict[type, str] = {
    Command: "use @service.command for commands, @service.on for events",
    Event: "use @service.command for commands, @service.on for events",
    Tick: "a scheduled handler begins with `tick: Tick`",
}


def _param(at: str, parameter: inspect.Parameter, hint: Any) -> Param:
    name = parameter.name
    if parameter.kind not in {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}:
        raise DefinitionError(f"{at}: {name!r} is no plain parameter", hint="no *args, **kwargs, or keyword-only ones")
    if hint is None:
        raise DefinitionError(f"{at}: parameter {name!r} has no type", hint="what is handed in is found by type")
    if parameter.default is not parameter.empty:
        raise DefinitionError(
            f"{at}: parameter {name!r} has a default, but it is always handed in", hint="take the default away"
        )
    by = [mark for mark in get_args(hint) if isinstance(mark, By)] if get_origin(hint) is Annotated else []
    members = [bare(part) for part in parts(bare(hint))]
    wanted = [member for member in members if member is not type(None)]
    if len(wanted) != 1:
        raise DefinitionError(f"{at}: parameter {name!r} is a union", hint="one type, or `Row | None`")
    found = _classify(at, name, wanted[0], len(wanted) < len(members), by[0] if by else None)
    if by and found.kind != "state":
        raise DefinitionError(
            f"{at}: By(...) at {name!r} finds nothing", hint="it says which row or aggregate is meant"
        )
    return found


def _classify(at: str, name: str, kind: Any, optional: bool, by: By | None) -> Param:
    if isinstance(kind, type) and issubclass(kind, State):
        if kind in {State, Row, Aggregate}:
            raise DefinitionError(f"{at}: {name!r} is any {kind.__name__}", hint="name the class")
        if optional and issubclass(kind, Aggregate):
            raise DefinitionError(
                f"{at}: {kind.__name__} is never None",
                hint="an aggregate without events is its class with its defaults",
            )
        return Param(name, "state", kind, optional, by)
    if kind is Rows or get_origin(kind) is Rows:
        rows = get_args(kind)
        if not rows or not (isinstance(rows[0], type) and issubclass(rows[0], Row)):
            raise DefinitionError(f"{at}: {name!r} does not say which rows", hint="Rows[Shelf]")
        return Param(name, "rows", rows[0])
    if kind is Transaction:
        return Param(name, "transaction", Transaction)
    if kind is Delivery:
        return Param(name, "delivery", Delivery)
    if optional or kind in _plain or (isinstance(kind, type) and issubclass(kind, Message)) or kind is Any:
        raise DefinitionError(
            f"{at}: {name!r} is {shown(kind)}{' | None' if optional else ''}, which nothing can hand in",
            hint="a row, an aggregate, Delivery, Transaction, or the type that a resource makes",
        )
    return Param(name, "resource", kind)


_plain: frozenset[Any] = frozenset({str, bytes, int, float, bool, dict, list, set, tuple, object})
