"""Rows as handlers meet them: by address, made from defaults, or several of one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from tidings.delivery.decision import Kind
from tidings.delivery.session import Look
from tidings.domain.columns import key_text
from tidings.domain.state import Row, Rows, State
from tidings.engine.port import Store, Table
from tidings.engine.unit import Address

RowT = TypeVar("RowT", bound=Row)
PAGE = 1000


class Addresses:
    """Where states are kept: a row in its table (of its projection's version), an aggregate in its own space."""

    def __init__(self, tables: Mapping[type[Row], Table]) -> None:
        self._spaces: dict[type, str] = {row: table.name for row, table in tables.items()}

    def space(self, state: type[State]) -> str:
        return self._spaces.get(state) or state.__space__

    def of(self, state: type[State], key: object) -> Address:
        return Address(self.space(state), key_text(key))


def default_row(row: type[Row]) -> Callable[[object], Row] | None:
    """Makes a row that is not there yet from its key, where every other field has a default."""
    fields = msgspec.structs.fields(row)
    key = row.__key__
    if any(f.required for f in fields if f.name != key):
        return None
    return lambda value: row(**{key: value})


class LoadedRows(Rows[RowT]):
    """`Rows[T]` of one handler run: whatever it reads becomes a condition of the handler's decision."""

    def __init__(self, space: str, kind: Kind, look: Look, store: Store) -> None:
        self._space, self._kind, self._look, self._store = space, kind, look, store

    async def get(self, key: object) -> RowT | None:
        found: RowT | None = await self._look.load(Address(self._space, key_text(key)), self._kind)
        return found

    async def get_many(self, keys: Sequence[object]) -> Sequence[RowT]:
        addresses = [Address(self._space, key_text(k)) for k in keys]
        await self._look.session.load(dict.fromkeys(addresses, self._kind))
        found: list[Any] = [self._look.see(a) for a in addresses]
        return [row for row in found if row is not None]

    async def count(self) -> int:
        """As the store has it: rows that this handler's own turn writes are not counted yet."""
        count, after = 0, ""
        while page := await self._store.page(self._space, after, PAGE):
            count += len(page)
            after = str(page[-1][1][0])
        return count
