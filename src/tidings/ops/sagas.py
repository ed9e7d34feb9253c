"""Sagas as an operator sees them: which step each instance is at, and why it failed or is stuck."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from tidings.clock import from_micro
from tidings.domain.saga_run import TABLE
from tidings.domain.saga_state import decode_state
from tidings.engine.port import Engine
from tidings.engine.unit import Address, Value
from tidings.errors import Refused

PAGE = 1000
OPEN = ("running", "undoing")
STATUSES = (*OPEN, "completed", "failed", "stuck")


class SagaState(Struct, frozen=True):
    """One instance. `saga`: `<service>.<class>`; `steps`: the phase of each, in order. `began`, `moved`: first and last
    time it was written."""

    saga: str
    key: str
    status: str
    reason: str
    began: datetime
    moved: datetime
    steps: Mapping[str, str]


async def sagas(
    engine: Engine, name: str | None = None, status: str | None = None, limit: int = PAGE
) -> list[SagaState]:
    """Instances of one saga (by its class or its whole name) or of all, by key; at most `limit`."""
    found: list[SagaState] = []
    async for one in _all(engine):
        if name not in (None, one.saga, one.saga.rpartition(".")[2]) or status not in (None, one.status):
            continue
        found.append(one)
        if len(found) == limit:
            break
    return found


async def counts(engine: Engine) -> dict[str, dict[str, int]]:
    """How many instances of each saga are in each status."""
    found: dict[str, dict[str, int]] = {}
    async for one in _all(engine):
        mine = found.setdefault(one.saga, {})
        mine[one.status] = mine.get(one.status, 0) + 1
    return found


async def saga(engine: Engine, name: str, key: str) -> SagaState | None:
    """One instance, by the whole name of its saga and its key."""
    try:
        row = (await engine.store.rows([Address(TABLE.name, f"{name}|{key}")]))[0]
    except Refused:  # no saga ever ran here
        return None
    return None if row is None else _state(row[1])


async def _all(engine: Engine) -> AsyncIterator[SagaState]:
    after = ""
    while True:
        try:
            page = await engine.store.page(TABLE.name, after, PAGE)
        except Refused:  # no saga ever ran here
            return
        if not page:
            return
        for _, values in page:
            yield _state(values)
        after = str(page[-1][1][0])


def _state(values: Sequence[Value]) -> SagaState:
    _, saga, key, status, reason, started, updated, state = values
    try:
        steps = {n: s.phase for n, s in decode_state(state if isinstance(state, (str, bytes)) else b"").steps.items()}
    except msgspec.DecodeError:
        steps = {}
    began, moved = from_micro(int(started or 0)), from_micro(int(updated or 0))
    return SagaState(str(saga), str(key), str(status), str(reason or ""), began, moved, steps)
