"""A resource: a function that makes what handlers ask for by type, opened once a process and closed at the end."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args, get_origin

from tidings.errors import DefinitionError
from tidings.event.hints import hints_of, shown, where

Way: TypeAlias = Literal["value", "awaited", "iterator", "async iterator"]

_iterators = {Iterator, Iterable, Generator}
_async_iterators = {AsyncIterator, AsyncIterable, AsyncGenerator}


@dataclass(frozen=True, slots=True)
class Resource:
    """`makes`: the type that handlers ask for. `way`: how to get it from `function()`.

    `value`: it is returned. `awaited`: by a coroutine. `iterator`, `async iterator`: it is yielded once, and what
    stands below the yield closes it.
    """

    function: Callable[[], Any]
    makes: Any
    way: Way
    where: str

    @property
    def name(self) -> str:
        return shown(self.makes)


def read_resource(function: Callable[..., Any]) -> Resource:
    """Raises DefinitionError where the function takes something, or does not say what it makes."""
    at = where(function)
    if list(inspect.signature(function).parameters):
        raise DefinitionError(f"{at} is a resource and takes parameters", hint="it reads its settings itself")
    made = hints_of(function, at).get("return")
    if made is None or made is type(None):
        raise DefinitionError(f"{at} does not say what it makes", hint="annotate the return")
    way: Way = "value"
    if inspect.isasyncgenfunction(function) or get_origin(made) in _async_iterators:
        way, made = "async iterator", _inside(at, made, _async_iterators)
    elif inspect.isgeneratorfunction(function) or get_origin(made) in _iterators:
        way, made = "iterator", _inside(at, made, _iterators)
    elif inspect.iscoroutinefunction(function):
        way = "awaited"
    return Resource(function, made, way, at)


def _inside(at: str, made: Any, wanted: set[Any]) -> Any:
    if get_origin(made) not in wanted or not get_args(made):
        raise DefinitionError(f"{at} yields but is annotated {shown(made)}", hint="Iterator[...] or AsyncIterator[...]")
    return get_args(made)[0]
