"""The outcomes that a command promises, and the key of a message: what its type says beyond the class line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, ForwardRef, Literal, Never, TypeVar, get_args, get_origin

import msgspec
from typing_extensions import NoDefault, get_original_bases

from tidings.errors import DefinitionError
from tidings.event.hints import bare, evaluate, module_names, names_around, parts, shown
from tidings.event.message import Command, Event, Message, info_of
from tidings.event.partition import KEY_TYPES, key_bytes


@dataclass(frozen=True, slots=True)
class Outcomes:
    """`done` and `failed`: events; both empty where the command promises nothing."""

    done: tuple[type[Event], ...] = ()
    failed: tuple[type[Event], ...] = ()

    @property
    def all(self) -> tuple[type[Event], ...]:
        return self.done + self.failed


def outcomes_of(command: type) -> Outcomes:
    """Read from `Command[Done, Failed]`, through bases in between too. Raises DefinitionError for what is no event."""
    found = _arguments(command, {})
    if found is None:
        return Outcomes()
    done, failed = (_events(command, hint) for hint in found)
    return Outcomes(done, failed)


def _arguments(cls: type, bound: dict[Any, Any]) -> tuple[Any, Any] | None:
    """What stands for D and F in this class; `bound`: what its own type variables stand for."""
    for base in get_original_bases(cls):
        origin = get_origin(base) or base
        if origin is Command:
            given = [bound.get(arg, arg) for arg in get_args(base)]
            return (given + [None, Never][len(given) :])[0], (given + [None, Never][len(given) :])[1]
        if isinstance(origin, type) and issubclass(origin, Command):
            variables = getattr(origin, "__parameters__", ())
            inner = dict(zip(variables, (bound.get(arg, arg) for arg in get_args(base)), strict=False))
            return _arguments(origin, {**{v: _default(v) for v in variables}, **inner})
    return None


def _default(variable: Any) -> Any:
    default = getattr(variable, "__default__", NoDefault)
    return None if default is NoDefault else default


def _events(command: type, hint: Any) -> tuple[type[Event], ...]:
    found: list[type[Event]] = []
    for part in parts(_forward(command, hint)):
        if part in {None, type(None), Never} or isinstance(part, TypeVar):
            continue
        if not (isinstance(part, type) and issubclass(part, Event)):
            raise DefinitionError(
                f"{command.__name__} promises {shown(part)}, which is no event",
                hint="Command[Done], or Command[Done, Failed]: both are events",
            )
        found.append(part)
    return tuple(found)


def _forward(command: type, hint: Any) -> Any:
    if not isinstance(hint, ForwardRef | str):
        return hint
    text = hint.__forward_arg__ if isinstance(hint, ForwardRef) else hint
    module = module_names(command.__module__)
    try:
        return evaluate(text, module, names_around(module))
    except NameError as missing:
        raise DefinitionError(f"{command.__name__}: {missing}", hint="import the event in that module") from None


def field_type(cls: type, name: str) -> Any:
    """The type of a field without marks around it; None where it cannot be said."""
    try:
        return next((bare(f.type) for f in msgspec.structs.fields(cls) if f.name == name), None)
    except NameError:
        return None


def check_key(cls: type, name: str) -> None:
    """Raises DefinitionError where the key's type has no stable text."""
    for part in parts(field_type(cls, name)):
        inner = bare(part)
        allowed = (isinstance(inner, type) and issubclass(inner, KEY_TYPES)) or _literal(inner)
        if not (allowed or inner is None or isinstance(inner, TypeVar)):
            raise DefinitionError(
                f"{cls.__name__}.{name} cannot be a key: it is {shown(inner)}",
                hint="a key is a str, int, UUID, date, datetime, Decimal, bytes or Enum",
            )


def _literal(hint: Any) -> bool:
    return get_origin(hint) is Literal and all(isinstance(value, str | int) for value in get_args(hint))


def key_of(message: Message) -> Any:
    """The value of its key, None where it has none."""
    field = info_of(type(message)).key
    return None if field is None else getattr(message, field)


def key_reader(cls: type[Message]) -> Callable[[Message], bytes | None]:
    """What reads the key of its messages as it lies in the log; a str, as most are, without a detour."""
    field = info_of(cls).key
    if field is None:
        return lambda message: None
    get = attrgetter(field)

    def read(message: Message) -> bytes | None:
        key = get(message)
        if type(key) is str:
            return key.encode()
        return None if key is None else key_bytes(key)

    return read
