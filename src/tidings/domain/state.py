"""State that handlers are handed: folded from events (Aggregate) or stored as it stands (Row).

A handler may change a row it was handed, but only what it returns is written.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, LiteralString, Protocol

import msgspec
from typing_extensions import TypeVar, dataclass_transform

from tidings.errors import DefinitionError
from tidings.event.hints import bare, hints_of, parts, shown, where
from tidings.event.message import Event, key_fields, make_struct, resolve
from tidings.event.outcome import check_key

_fixed: Mapping[str, Any] = {"kw_only": True, "frozen": False, "array_like": False}
_table = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,62}")  # PostgreSQL cuts names at 63 letters
_space = re.compile(r"[a-zA-Z][a-zA-Z0-9._-]{0,199}")


@dataclass_transform(kw_only_default=True, field_specifiers=(msgspec.field,))
class StateMeta(msgspec.StructMeta):
    """Takes `table` and `name` out of the class line and checks the class at once."""

    def __new__(
        mcls,
        clsname: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        table: str | None = None,
        name: str | None = None,
        **config: Any,
    ) -> Any:
        annotations = namespace.get("__annotations__", {})
        resolve(annotations, namespace["__module__"], namespace)
        cls: Any = make_struct(super().__new__, mcls, clsname, bases, namespace, {**_fixed, **config}, _fixed)
        resolve(annotations, namespace["__module__"], {clsname: cls})
        if namespace["__module__"] != __name__:
            cls.__check__(table, name)
        return cls


@dataclass_transform(kw_only_default=True, field_specifiers=(msgspec.field,))
class State(msgspec.Struct, metaclass=StateMeta, kw_only=True):
    """Found by key; written under the version that was read. Somebody else was first: the handler runs again."""

    __space__: ClassVar[str]  # the first half of its address: a table, or the name of an aggregate

    def __init_subclass__(cls, *, table: str | None = None, name: str | None = None, kw_only: bool = True) -> None:
        """Only what type checkers need to know about the class line; StateMeta does the work."""
        super().__init_subclass__()

    @classmethod
    def __check__(cls, table: str | None, name: str | None) -> None: ...


class Aggregate(State):
    """State folded from its own events by `def apply(self, event: A | B | C) -> None`; every field has a default.

    Its streams are named after the class, or after `name=` in the class line: they outlive a renamed class.
    """

    @classmethod
    def __check__(cls, table: str | None, name: str | None) -> None:
        if table is not None:
            raise DefinitionError(f"{cls.__name__} is an aggregate and has no table", hint="name= names its streams")
        apply = getattr(cls, "apply", None)
        if not inspect.isfunction(apply):
            raise DefinitionError(
                f"{cls.__name__} cannot be folded", hint="add `def apply(self, event: A | B) -> None`"
            )
        if inspect.iscoroutinefunction(apply):
            raise DefinitionError(f"{where(apply)} is async", hint="a fold must not wait: make it a plain def")
        needed = [f for f, default in _defaults(cls).items() if default is msgspec.NODEFAULT]
        if needed:
            raise DefinitionError(
                f"{cls.__name__}.{needed[0]} has no default", hint="give it one: a fold starts from nothing"
            )
        cls.__space__ = _named(cls, name or cls.__name__, _space)


class Row(State):
    """One row of a table that you may read with SQL: a field is a column, the `Key[...]` field is the primary key.

    The table is called after the class (`OrderRow`: order_row), or `table=` in the class line.
    """

    __key__: ClassVar[str]

    @classmethod
    def __check__(cls, table: str | None, name: str | None) -> None:
        if name is not None:
            raise DefinitionError(f"{cls.__name__} is a row", hint="table= names its table")
        keys = key_fields(cls)
        if len(keys) != 1:
            raise DefinitionError(
                f"{cls.__name__} needs one key{', not ' + ' and '.join(keys) if keys else ''}",
                hint="mark the primary key, as in `order_id: Key[str]`",
            )
        cls.__key__ = keys[0]
        cls.__space__ = _named(cls, table or snake(cls.__name__), _table)
        check_key(cls, keys[0])


def _named(cls: type, name: str, allowed: re.Pattern[str]) -> str:
    if not allowed.fullmatch(str(name)) or name.lower().startswith(("tidings_", "sqlite_", "pg_", "saga_instances")):
        raise DefinitionError(
            f"{cls.__name__} cannot be called {name!r}",
            hint="a letter, then letters, digits and '_'; tidings_, sqlite_, pg_ and saga_instances are taken",
        )
    return name


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _defaults(cls: Any) -> dict[str, Any]:
    """Field to default, NODEFAULT where it needs a value; known before the types of the fields can be."""
    names, values = cls.__struct_fields__, cls.__struct_defaults__
    given = dict(zip(reversed(names), reversed(values), strict=False))
    return {name: given.get(name, msgspec.NODEFAULT) for name in names}


@dataclass(frozen=True, slots=True)
class By:
    """Find the state by another field than the message's key: `order: Annotated[Order, By("order_id")]`.

    A function computes the key: `tally: Annotated[DaySales, By(day_of)]`.
    """

    field: str | Callable[[Any], object]


RowT = TypeVar("RowT", bound=Row)
RowT_co = TypeVar("RowT_co", bound=Row, covariant=True)


class Rows(Protocol[RowT_co]):
    """Several rows in one handler, for reading; those returned are written if none of them changed meanwhile.

    The same key gives the same object within one run of the handler.
    """

    async def get(self, key: object) -> RowT_co | None:
        """The row of this key."""

    async def get_many(self, keys: Sequence[object]) -> Sequence[RowT_co]:
        """Those that are there, in the order of the keys."""
        ...

    async def count(self) -> int:
        """How many rows the table has."""
        ...


@dataclass(frozen=True, slots=True)
class Delete(Generic[RowT]):
    """Returned by a handler: the row goes away in the commit."""

    row: RowT


class Transaction(Protocol):
    """The commit itself. A handler that takes it is a plain def and runs inside, under a deadline."""

    def execute(self, sql: LiteralString, parameters: Mapping[str, object] = ..., /) -> Sequence[Sequence[Any]]:
        """One statement, with `:name` for each parameter; the rows, if it gives any."""
        ...


def folds(aggregate: type[Aggregate]) -> tuple[type[Event], ...]:
    """The events that its apply takes: the aggregate's whole vocabulary. Raises DefinitionError where it says none."""
    apply: Any = aggregate.apply  # type: ignore[attr-defined]
    at = where(apply)
    names = list(inspect.signature(apply).parameters)
    hint = hints_of(apply, at).get(names[1]) if len(names) == 2 else None
    if hint is None:
        raise DefinitionError(
            f"{at} does not say which events it takes", hint="`def apply(self, event: A | B) -> None`"
        )
    found: list[type[Event]] = []
    for part in parts(hint):
        inner = bare(part)
        if not (isinstance(inner, type) and issubclass(inner, Event)):
            raise DefinitionError(f"{at} takes {shown(inner)}, which is no event", hint="a union of event classes")
        found.append(inner)
    return tuple(found)
