"""Messages: events (something happened) and commands (please do this).

The class line says everything: `class OrderPlaced(OrderEvent, version=2, upcasts={1: with_currency})`. It is checked
when Python reads it, so a wrong message stops the program at import and not in the night.

Two mechanisms are worth knowing. Type checkers learn the class keywords from `__init_subclass__`, the metaclass takes
them out before msgspec sees them. And annotations that are text (`from __future__ import annotations`) are evaluated
here as far as they can be, so that messages may be defined inside functions too.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Generic, Literal, Never, TypeAlias, get_args, get_origin

import msgspec
from typing_extensions import TypeVar, dataclass_transform

from tidings.errors import DefinitionError
from tidings.event.evolution import Upcasts, check_upcasts
from tidings.event.hints import evaluate, head_of, module_names, names_around
from tidings.event.topic import Topic

T = TypeVar("T")
D_co = TypeVar("D_co", default=None, covariant=True)
F_co = TypeVar("F_co", default=Never, covariant=True)
Rename: TypeAlias = Literal["lower", "upper", "camel", "pascal", "kebab"]

_name = re.compile(r"[a-zA-Z][a-zA-Z0-9._-]{0,199}")
_fixed: Mapping[str, Any] = {"frozen": True, "kw_only": True, "array_like": False}


class KeyMark:
    """Marks the field that orders a message and finds its state."""

    def __repr__(self) -> str:
        return "Key"


Key = Annotated[T, KeyMark()]


@dataclass(frozen=True, slots=True)
class MessageInfo:
    """What the class line of a message said. `topic` None: a private event, or a command. `key`: its key's field."""

    name: str
    version: int
    topic: Topic | None
    key: str | None
    upcasts: Upcasts
    unordered: bool = False


def info_of(cls: type) -> MessageInfo:
    """Raises DefinitionError where the class is no message."""
    info = getattr(cls, "__info__", None)
    if not isinstance(info, MessageInfo):
        raise DefinitionError(f"{cls!r} is no message", hint="derive it from Event or Command")
    return info


def key_fields(cls: type) -> list[str]:
    """The fields marked `Key[...]`, own and inherited; a field that is declared again without it is no key any more."""
    marked: dict[str, bool] = {}
    for base in reversed(cls.__mro__):
        for field, hint in inspect.get_annotations(base).items():
            marked[field] = _is_key(hint, base)
    return [field for field, is_key in marked.items() if is_key]


def _is_key(hint: object, cls: type) -> bool:
    if isinstance(hint, str):
        module = module_names(cls.__module__)
        hint = head_of(hint, module, names_around(module))
    return get_origin(hint) is Annotated and any(isinstance(mark, KeyMark) for mark in get_args(hint))


def resolve(annotations: dict[str, Any], module: str, own: Mapping[str, Any]) -> None:
    """Evaluate the annotations that are text, in place, as far as their names are known by now."""
    names = module_names(module)
    around = names_around(names)
    for field, hint in annotations.items():
        if isinstance(hint, str):
            for inside in (around, {**around, **own}):  # a default may hide its own type: `date: date = today`
                try:
                    annotations[field] = evaluate(hint, names, inside)
                    break
                except NameError:
                    continue
                except (AttributeError, TypeError, SyntaxError) as wrong:
                    raise DefinitionError(f"{field}: {hint}: {wrong}", hint="this annotation is not a type") from None


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class MessageMeta(msgspec.StructMeta):
    """Takes `topic`, `name`, `version`, `upcasts` and `unordered` out of the class line and checks them at once."""

    def __new__(
        mcls,
        clsname: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        topic: Topic | None = None,
        name: str | None = None,
        version: int = 1,
        upcasts: Upcasts | None = None,
        unordered: bool = False,
        **config: Any,
    ) -> Any:
        annotations = namespace.get("__annotations__", {})
        resolve(annotations, namespace["__module__"], namespace)
        cls: Any = make_struct(super().__new__, mcls, clsname, bases, namespace, {**_fixed, **config}, _fixed)
        resolve(annotations, namespace["__module__"], {clsname: cls})
        check_upcasts(clsname, version, upcasts or {})
        inherited = [base.__info__ for base in bases if hasattr(base, "__info__")]
        given: Any = topic
        if given is not None and not isinstance(given, Topic):
            raise DefinitionError(f"{clsname}: topic={given!r} is no topic", hint=f"topic=Topic({given!r})")
        unordered = unordered or any(info.unordered for info in inherited)
        topic = topic or next((info.topic for info in inherited if info.topic), None)
        if topic is not None and cls.__asks__:
            raise DefinitionError(
                f"{clsname} is a command and has topic {topic.name!r}", hint="it travels to the service that handles it"
            )
        key = _the_key(clsname, key_fields(cls), topic, unordered)
        cls.__info__ = MessageInfo(_checked(name or clsname), version, topic, key, upcasts or {}, unordered)
        return cls


def make_struct(
    make: Any, mcls: type, clsname: str, bases: tuple[type, ...], space: dict[str, Any], config: Any, fixed: Any
) -> Any:
    """The struct class; what msgspec refuses is a definition error, and so is a changed `fixed` setting."""
    for word, value in fixed.items():
        if config[word] != value:
            raise DefinitionError(f"{clsname}: {word}={config[word]} is not possible", hint=f"it is always {value}")
    try:
        return make(mcls, clsname, bases, space, **config)
    except (TypeError, ValueError) as wrong:
        raise DefinitionError(f"{clsname}: {wrong}") from wrong


def _the_key(clsname: str, keys: list[str], topic: Topic | None, unordered: bool) -> str | None:
    if len(keys) > 1:
        raise DefinitionError(f"{clsname} has {len(keys)} keys: {', '.join(keys)}", hint="mark one field with Key[...]")
    if keys:
        return keys[0]
    if topic is not None and topic.compacted:
        raise DefinitionError(
            f"{clsname} goes to the compacted topic {topic.name!r} but has no key",
            hint="compaction keeps the newest of each key",
        )
    if topic is not None and not unordered:
        raise DefinitionError(
            f"{clsname} goes to topic {topic.name!r} but has no key",
            hint="mark the field that orders it, as in `order_id: Key[str]`, or say unordered=True",
        )
    return None


def _checked(name: str) -> str:
    if not _name.fullmatch(str(name)) or name.startswith("tidings."):
        raise DefinitionError(
            f"message name {name!r} is not allowed",
            hint="a letter, then letters, digits, '.', '_', '-', 200 at most; tidings. is taken",
        )
    return name


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Message(msgspec.Struct, metaclass=MessageMeta, frozen=True, kw_only=True):
    """Immutable and typed. Written as JSON under its declared name and version, never under its Python path."""

    __info__: ClassVar[MessageInfo]
    __asks__: ClassVar[bool] = False

    def __init_subclass__(
        cls,
        *,
        topic: Topic | None = None,
        name: str | None = None,
        version: int = 1,
        upcasts: Upcasts | None = None,
        unordered: bool = False,
        rename: Rename | None = None,
        frozen: bool = True,
        kw_only: bool = True,
    ) -> None:
        """Only what type checkers need to know about the class line; MessageMeta does the work."""
        super().__init_subclass__()


class Event(Message):
    """Something that happened, told to whoever listens. Without a topic it stays private to its stream."""


class Command(Message, Generic[D_co, F_co]):
    """Something one service is asked to do: `Command[Done]`, or `Command[Done, Failed]` when it may not work out.

    It travels in the topic of the service that handles it, so it has no topic of its own.
    """

    __asks__: ClassVar[bool] = True


M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Later(Generic[M]):
    """The message, but not before `after` has passed. One per message type and key: a second replaces the first."""

    message: M
    after: timedelta


@dataclass(frozen=True, slots=True)
class Cancel(Generic[M]):
    """Forget the waiting message of this type and key; nothing happens if there is none."""

    message: type[M]
    key: object
