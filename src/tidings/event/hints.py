"""Annotations, read where they were written.

`from __future__ import annotations` turns annotations into text. Text is evaluated in the names of its module, and in
the local names of the functions of that module that are running now: a class or handler made inside a function (as
tests do) then finds its neighbours. What cannot be evaluated yet, because it is written further down, stays text.
"""

from __future__ import annotations

import ast
import inspect
import sys
import types
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, NewType, Union, get_args, get_origin

from typing_extensions import get_type_hints

from tidings.errors import DefinitionError


def names_around(module: Mapping[str, Any]) -> Mapping[str, Any]:
    """Local names of the functions of this module (given by its globals) that are on the stack, innermost first."""
    found: list[Any] = []
    frame: types.FrameType | None = sys._getframe(1)  # noqa: SLF001 -- nothing else shows them
    while frame is not None:
        if frame.f_globals is module and frame.f_locals is not module:
            found.append(frame.f_locals)
        frame = frame.f_back
    return ChainMap(*found)


def module_names(module: str) -> dict[str, Any]:
    return vars(sys.modules[module]) if module in sys.modules else {}


def evaluate(text: str, module: dict[str, Any], around: Mapping[str, Any]) -> Any:
    """What the annotation says; raises NameError, or whatever its evaluation raises."""
    return eval(text, module, around)  # noqa: S307 -- the program's own annotation


def head_of(text: str, module: dict[str, Any], around: Mapping[str, Any]) -> Any:
    """The `Key` of `"Key[Unknown]"`: what can be said of an annotation whose inside is not known yet; else None."""
    try:
        tree = ast.parse(text, mode="eval").body
        return evaluate(ast.unparse(tree.value), module, around) if isinstance(tree, ast.Subscript) else None
    except (NameError, AttributeError, SyntaxError):
        return None


def hints_of(function: Callable[..., Any], at: str) -> dict[str, Any]:
    """The hints of parameters and return, Annotated kept. Raises DefinitionError naming what is missing."""
    inner = inspect.unwrap(function)
    try:
        return get_type_hints(inner, localns=dict(names_around(inner.__globals__)), include_extras=True)
    except (NameError, AttributeError) as missing:
        raise DefinitionError(
            f"{at}: {missing}", hint="the types of a handler must be known above the line where it is written"
        ) from None
    except (TypeError, SyntaxError) as wrong:
        raise DefinitionError(f"{at}: {wrong}", hint="this annotation is not a type") from None


def bare(hint: Any) -> Any:
    """The type without Annotated and NewType around it."""
    while True:
        if get_origin(hint) is Annotated:
            hint = get_args(hint)[0]
        elif isinstance(hint, NewType):
            hint = hint.__supertype__
        else:
            return hint


def parts(hint: Any) -> Iterator[Any]:
    """The members of a union, aliases opened; a hint that is no union is its only member."""
    hint = _opened(hint)
    if get_origin(hint) in {Union, types.UnionType}:
        for member in get_args(hint):
            yield from parts(member)
    else:
        yield hint


def _opened(hint: Any) -> Any:
    """What a `type X = ...` alias stands for."""
    while type(hint).__name__ == "TypeAliasType" and hasattr(hint, "__value__"):
        hint = hint.__value__
    return hint


def shown(hint: Any) -> str:
    """A hint as a person would write it."""
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint).replace("typing.", "")


def where(function: Callable[..., Any]) -> str:
    """`name (path:line)`, to stand at the beginning of an error."""
    inner = inspect.unwrap(function)
    code = getattr(inner, "__code__", None)
    name: str = getattr(function, "__qualname__", repr(function))
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if code is not None else name
