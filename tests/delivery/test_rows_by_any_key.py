"""A row is found again by its key, of whatever type that is: what one event wrote, the next one is handed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from uuid import UUID

import pytest

from tidings import Event, Key, Row, Service, System, Topic
from tidings.testing import run


class Color(Enum):
    RED = "red"


class Level(Enum):
    LOW = 1


MOMENT = datetime(2026, 1, 2, 3, tzinfo=UTC)
KEYS = [
    "", "ü|/'\x00", "05", 7, -7, 1 << 62, True, False, b"\xff\x00", b"plain", UUID(int=5), date(2026, 1, 2), MOMENT,
    Decimal("1.50"), Color.RED, Level.LOW,
]  # fmt: skip


@pytest.mark.anyio
@pytest.mark.parametrize("log_apart", [False, True], ids=["one", "apart"])
@pytest.mark.parametrize("key", KEYS, ids=repr)
async def test_a_row_is_found_by_a_key_of_any_type(key: object, log_apart: bool) -> None:
    kind = type(key)

    class Seen(Event, topic=Topic("seen", partitions=2)):
        key: Key[kind]  # type: ignore[valid-type]

    class Count(Row, table="counts"):
        key: Key[kind]  # type: ignore[valid-type]
        times: int = 0

    service = Service("counting")

    def count(event: Seen, row: Count) -> Count:
        row.times += 1
        return row

    count.__annotations__ = {"event": Seen, "row": Count, "return": Count}
    service.on(count)
    async with run(System("counting", [service]), log_apart=log_apart) as world:
        for _ in range(3):
            await world.publish(Seen(key=key))
            await world.settle()
        assert await world.parked() == []
        assert await world.get(Count, key) == Count(key=key, times=3)
