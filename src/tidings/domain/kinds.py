"""The two kinds of state that a turn's session keeps: rows of a table, and streams folded into an aggregate.

A row lives in the session as its columns' values, a stream as the folded aggregate. Handlers get a copy of either, so
changing what they were handed changes nothing until they return it.
"""

from __future__ import annotations

import copy
import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import CodeType
from typing import Any, Literal, get_args, get_origin
from uuid import UUID

import msgspec

from tidings.domain.columns import from_values, to_values
from tidings.domain.state import Aggregate, Row
from tidings.engine.port import Store
from tidings.engine.unit import Address, History, Snapshot, Value, Write
from tidings.errors import Poison
from tidings.event.codec import Codec
from tidings.event.envelope import unpack_type
from tidings.event.hints import bare, parts

FIXED: frozenset[Any] = frozenset(
    {None, type(None), str, bytes, int, float, bool, Decimal, datetime, date, time, timedelta, UUID}
)
SNAPSHOT_EVERY = 500  # events of a stream after which its folded state is kept


class RowKind:
    """Rows of one table."""

    def __init__(self, row: type[Row], store: Store) -> None:
        self.row = row
        self.store = store

    async def load(self, addresses: Sequence[Address]) -> Sequence[tuple[int, Sequence[Value] | None]]:
        return [found if found is not None else (0, None) for found in await self.store.rows(addresses)]

    def copy(self, value: Sequence[Value] | None) -> Row | None:
        return None if value is None else from_values(self.row, value)

    def fold(self, value: Any, messages: Sequence[Any]) -> Any:
        raise TypeError(f"{self.row.__name__} is a row: it is written, not folded")

    def write(self, address: Address, value: Sequence[Value] | None) -> Write:
        return Write(address, value)

    async def settled(self, stands: Sequence[tuple[Address, int, Any]]) -> None:
        """Rows need nothing after a commit."""

    @staticmethod
    def values(row: Row) -> tuple[Value, ...]:
        return to_values(row)


class StreamKind:
    """Streams of one aggregate: loaded from the newest snapshot of this very shape and fold, and what followed it."""

    def __init__(self, aggregate: type[Aggregate], codecs: Mapping[str, Codec[Any]], store: Store) -> None:
        self.aggregate = aggregate
        self.codecs = codecs
        self.store = store
        self.fingerprint = fingerprint(aggregate)
        fixed = all(unchanging(field.type) for field in msgspec.structs.fields(aggregate))
        self._copy: Callable[[Aggregate], Aggregate] = copy.copy if fixed else copy.deepcopy
        self._kept: dict[Address, int] = {}  # version of the newest snapshot that was seen
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(aggregate).decode

    async def load(self, addresses: Sequence[Address]) -> Sequence[tuple[int, Aggregate]]:
        return [(h.version, self.folded(h)) for h in await self.store.load(addresses, self.fingerprint)]

    def folded(self, history: History) -> Aggregate:
        """The state after these events. Raises Poison where the stream holds what the aggregate cannot read."""
        if history.snapshot is None:
            state = self.aggregate()
        else:
            state = self._decode(history.snapshot[1])
            self._kept[history.address] = history.snapshot[0]
        apply: Any = state.apply  # type: ignore[attr-defined]
        codecs = self.codecs
        for stored in history.events:
            kind = unpack_type(stored.head)
            codec = codecs.get(kind.name)
            if codec is None:
                raise Poison(
                    f"{history.address.space} {history.address.key} holds {kind.name} at version {stored.version}, "
                    f"which {self.aggregate.__name__}.apply does not take",
                    hint="a stream is for ever: keep every event type it ever held in apply's union",
                )
            apply(codec.decode(kind.version, stored.data))
        return state

    def copy(self, value: Aggregate) -> Aggregate:
        return self._copy(value)

    def fold(self, value: Aggregate, messages: Sequence[Any]) -> Aggregate:
        for message in messages:
            value.apply(message)  # type: ignore[attr-defined]
        return value

    def write(self, address: Address, value: Any) -> Write:
        raise TypeError(f"{self.aggregate.__name__} is an aggregate: it is appended to, not written")

    async def settled(self, stands: Sequence[tuple[Address, int, Aggregate]]) -> None:
        """Keep what grew enough since its last snapshot. It is a cache: losing one loses nothing."""
        due = [s for s in stands if s[1] - self._kept.get(s[0], 0) >= SNAPSHOT_EVERY]
        if due:
            await self.keep(due)

    async def keep(self, stands: Sequence[tuple[Address, int, Aggregate]]) -> None:
        if len(self._kept) > 10_000:
            self._kept.clear()
        self._kept.update((address, version) for address, version, _ in stands)
        await self.store.keep([Snapshot(a, v, self.fingerprint, self._encode(value)) for a, v, value in stands])


def unchanging(hint: Any, inside: frozenset[Any] = frozenset()) -> bool:
    """Whether no value of this type can be changed in place, so that a copy may share it."""
    for part in parts(bare(hint)):
        kind = bare(part)
        origin = get_origin(kind)
        if origin in {tuple, frozenset}:
            if not all(arg is Ellipsis or unchanging(arg, inside) for arg in get_args(kind)):
                return False
        elif origin is not Literal and kind not in FIXED and not _is_frozen(kind, inside):
            return False
    return True


def _is_frozen(kind: Any, inside: frozenset[Any]) -> bool:
    """`inside`: the structs around it; one that holds itself is as frozen as the rest of it."""
    if not isinstance(kind, type) or kind in inside:
        return kind in inside
    if issubclass(kind, msgspec.Struct):
        fields = msgspec.structs.fields(kind)
        return kind.__struct_config__.frozen and all(unchanging(f.type, inside | {kind}) for f in fields)
    return issubclass(kind, Enum)


def fingerprint(aggregate: type[Aggregate]) -> str:
    """Of the shape of the state and of its fold: another field, default, type or line of `apply` is another print."""
    shape = [(f.name, repr(f.type), repr(f.default)) for f in msgspec.structs.fields(aggregate)]
    apply = inspect.unwrap(aggregate.apply)  # type: ignore[attr-defined]
    text = repr((aggregate.__name__, shape, _code(apply.__code__)))
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _code(code: CodeType) -> tuple[object, ...]:
    consts = tuple(_code(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts)
    return code.co_code, code.co_names, consts
