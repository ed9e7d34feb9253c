"""What a handler's signature must be for its kind: each rule is one function, each breach one sentence with a hint.

A rule here needs nothing but the handler itself. What needs the other services is in `tidings.domain.program`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tidings.domain.signature import Handler, Param
from tidings.domain.state import Row, State, folds
from tidings.errors import DefinitionError, did_you_mean
from tidings.event.hints import bare, hints_of, parts, shown, where
from tidings.event.message import Event, Message, info_of
from tidings.event.outcome import field_type, outcomes_of


def check(handler: Handler) -> None:
    """Raises DefinitionError for the first rule that is broken."""
    for rule in (_heard, _run, _inside, _found, _told, _promised, _projected):
        rule(handler)


def _heard(handler: Handler) -> None:
    if handler.kind == "command" and len(handler.hears) > 1:
        raise DefinitionError(f"{handler.where} hears {len(handler.hears)} commands", hint="one function a command")
    if handler.kind in {"on", "projection"}:
        for event in handler.hears:
            if info_of(event).topic is None:
                raise DefinitionError(
                    f"{handler.where} hears {event.__name__}, which is private",
                    hint="give it a topic=, or hear another",
                )
    if handler.every is not None and handler.every <= timedelta(0):
        raise DefinitionError(f"{handler.where} runs every {handler.every}", hint="every(hours(24))")


def _run(handler: Handler) -> None:
    if handler.blocking and handler.is_async:
        raise DefinitionError(
            f"{handler.where} is async and blocking", hint="blocking=True is for a plain def, which goes to a thread"
        )


def _inside(handler: Handler) -> None:
    """A transactional handler runs in the commit, where nothing can be awaited and nothing else can be loaded."""
    if not handler.transactional:
        return
    if handler.is_async:
        raise DefinitionError(
            f"{handler.where} takes a Transaction and is async", hint="it runs inside the commit: make it a plain def"
        )
    if handler.blocking:
        raise DefinitionError(
            f"{handler.where} takes a Transaction and is blocking",
            hint="the commit has its own thread: take blocking away",
        )
    if handler.states or handler.writes or handler.cancels:
        what = [*handler.states, *handler.writes, *handler.cancels][0]
        raise DefinitionError(
            f"{handler.where} takes a Transaction beside {what.__name__}",
            hint="either rows that are handed in and returned, or SQL of your own; events may be returned by both",
        )


def _found(handler: Handler) -> None:
    """Every state can be found by what the message says, and no two parameters are the same state."""
    seen: set[tuple[Any, Any]] = set()
    for param in handler.params:
        if param.kind != "state":
            continue
        if (param.type, param.by) in seen:
            raise DefinitionError(
                f"{handler.where} takes the same {param.type.__name__} twice",
                hint="Annotated[..., By(...)] finds another",
            )
        seen.add((param.type, param.by))
        for message in handler.hears:
            _findable(handler.where, message, param)


def _findable(at: str, message: type[Message], param: Param) -> None:
    state: type[State] = param.type
    field = param.by.field if param.by is not None else info_of(message).key
    if callable(field):
        _by_function(at, message, state, field)
        return
    if field is None:
        raise DefinitionError(
            f"{at}: {message.__name__} has no key to find {state.__name__} by",
            hint=f"Annotated[{state.__name__}, By(...)]",
        )
    if field not in message.__struct_fields__:
        raise DefinitionError(
            f"{at}: {message.__name__} has no field {field!r}", hint=did_you_mean(field, message.__struct_fields__)
        )
    made, wanted = field_type(message, field), key_type(state)
    if _differ(made, wanted):
        raise DefinitionError(
            f"{at}: {message.__name__}.{field} is {made}, but {state.__name__} is found by {wanted}",
            hint=f"Annotated[{state.__name__}, By(...)] finds it by another field, or by a function",
        )


def _by_function(at: str, message: type[Message], state: type[State], function: Callable[..., Any]) -> None:
    name = where(function)
    hints = hints_of(function, name)
    made = hints.pop("return", None)
    taken = [bare(part) for hint in hints.values() for part in parts(bare(hint))]
    if not any(isinstance(one, type) and issubclass(message, one) for one in taken):
        raise DefinitionError(
            f"{at}: {name} does not take {message.__name__}", hint=f"annotate its parameter: {message.__name__}"
        )
    wanted = key_type(state)
    if made is None or _differ(bare(made), wanted):
        raise DefinitionError(
            f"{at}: {name} makes {bare(made)}, but {state.__name__} is found by {wanted}",
            hint="annotate its return with the type of the key",
        )


def key_type(state: type[State]) -> Any:
    """The type of a row's key; None for an aggregate, which any key may name."""
    return field_type(state, state.__key__) if issubclass(state, Row) else None


def _differ(made: Any, wanted: Any) -> bool:
    """Only what is sure: two plain classes, neither derived from the other."""
    if not (isinstance(made, type) and isinstance(wanted, type)):
        return False
    return not (issubclass(made, wanted) or issubclass(wanted, made))


def _told(handler: Handler) -> None:
    """Every event has somewhere to go: the stream of an aggregate that folds it, or its topic."""
    known = {event for aggregate in handler.aggregates for event in folds(aggregate)}
    for event in handler.tells:
        if not issubclass(event, Event):
            continue
        if handler.aggregates and not any(issubclass(event, one) or issubclass(one, event) for one in known):
            raise DefinitionError(
                f"{handler.where} returns {event.__name__}, which {handler.aggregates[0].__name__}.apply does not take",
                hint="add it to apply's union, and a case for it",
            )
        if not handler.aggregates and info_of(event).topic is None:
            raise DefinitionError(
                f"{handler.where} returns {event.__name__}, which is private, and takes no aggregate to keep it",
                hint="give it a topic=, or take the aggregate that folds it",
            )


def _promised(handler: Handler) -> None:
    if handler.kind != "command":
        return
    command = handler.hears[0]
    for outcome in outcomes_of(command).all:
        if not any(issubclass(outcome, made) for made in handler.tells):
            raise DefinitionError(
                f"{handler.where} never returns {outcome.__name__}, which {command.__name__} promises",
                hint=f"name it in the return annotation, or take it out of Command[...] in {command.__name__}",
            )


def _projected(handler: Handler) -> None:
    if handler.kind != "projection":
        return
    for made in (*handler.tells, *handler.cancels):
        raise DefinitionError(
            f"{handler.where} is a projection and returns {shown(made)}",
            hint="projections are replayed: emit from an @service.on handler",
        )
    if not handler.writes and not handler.transactional:
        raise DefinitionError(f"{handler.where} writes no row", hint="return the row it changed, or take a Transaction")
    if handler.aggregates:
        raise DefinitionError(
            f"{handler.where} is a projection and takes {handler.aggregates[0].__name__}",
            hint="a replay would see the aggregate of today: keep what it needs in its row",
        )
