"""What a return annotation says may come of a handler: effects, alone, in unions, or inside tuples and iterables."""

from __future__ import annotations

from collections.abc import (
    Awaitable,
    Collection,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from dataclasses import dataclass, field
from typing import Any, Never, NoReturn, get_args, get_origin

from tidings.domain.state import Aggregate, Delete, Row
from tidings.errors import DefinitionError
from tidings.event.hints import bare, parts, shown
from tidings.event.message import Cancel, Command, Event, Later, Message

_many = {tuple, list, Sequence, Iterable, Iterator, Collection}
_nothing: tuple[Any, ...] = (None, type(None), Never, NoReturn, Ellipsis)


@dataclass(slots=True)
class _Found:
    at: str
    emits: list[type] = field(default_factory=list)
    deletes: list[type[Row]] = field(default_factory=list)
    cancels: list[type[Message]] = field(default_factory=list)
    awaited: bool = False


@dataclass(frozen=True, slots=True)
class Returns:
    """`emits`: messages and rows, those inside Later too. `awaited`: the annotation is an Awaitable of them."""

    emits: tuple[type, ...]
    deletes: tuple[type[Row], ...]
    cancels: tuple[type[Message], ...]
    awaited: bool


def read_returns(at: str, hint: Any) -> Returns:
    """Raises DefinitionError, beginning with `at`, where the annotation names what is no effect."""
    found = _Found(at)
    _read(found, hint)
    return Returns(
        tuple(dict.fromkeys(found.emits)),
        tuple(dict.fromkeys(found.deletes)),
        tuple(dict.fromkeys(found.cancels)),
        found.awaited,
    )


def _read(found: _Found, hint: Any) -> None:
    for part in parts(bare(hint)):
        inner = bare(part)
        if any(inner is nothing for nothing in _nothing):
            continue
        origin, args = get_origin(inner), get_args(inner)
        if origin in _many:
            for arg in args:
                _read(found, arg)
        elif origin is Generator:
            _read(found, args[0])
        elif origin in {Awaitable, Coroutine}:
            found.awaited = True
            _read(found, args[-1])
        elif origin in {Later, Cancel, Delete}:
            _wrapped(found, origin, args[0])
        else:
            _effect(found, inner)


def _wrapped(found: _Found, wrapper: Any, hint: Any) -> None:
    for part in parts(bare(hint)):
        inner = _named(found.at, bare(part))
        if wrapper is Delete:
            _must_be(found.at, issubclass(inner, Row), f"deletes {shown(inner)}, which is no row")
            found.deletes.append(inner)
            continue
        _must_be(found.at, issubclass(inner, Message), f"puts off {shown(inner)}, which is no message")
        if wrapper is Cancel:
            found.cancels.append(inner)
        else:
            found.emits.append(inner)


def _effect(found: _Found, kind: Any) -> None:
    if kind in {Later, Cancel, Delete}:
        raise DefinitionError(f"{found.at} returns any {kind.__name__}", hint=f"{kind.__name__}[...] says of what")
    if isinstance(kind, type) and issubclass(kind, Aggregate):
        raise DefinitionError(
            f"{found.at} returns {kind.__name__}, which is an aggregate", hint="return the events that it folds"
        )
    named = _named(found.at, kind)
    _must_be(found.at, issubclass(named, Message | Row), f"returns {shown(named)}, which is no effect")
    found.emits.append(named)


def _named(at: str, kind: Any) -> type:
    """A concrete class; the bases say nothing about what comes."""
    if kind in {Event, Command, Message, Row} or get_origin(kind) is Command:
        raise DefinitionError(
            f"{at} returns any {shown(kind)}", hint="name the classes, or the graph and the checks see nothing"
        )
    _must_be(at, isinstance(kind, type), f"returns {shown(kind)}, which is no effect")
    return kind  # type: ignore[no-any-return]


def _must_be(at: str, right: bool, wrong: str) -> None:
    if not right:
        raise DefinitionError(
            f"{at} {wrong}", hint="effects are events, commands, rows, Delete, Later, Cancel; `-> None` if nothing"
        )
