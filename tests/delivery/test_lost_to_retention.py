"""A group that was too slow for retention stops at the hole, says what it lost, and goes on when that is accepted."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tidings import Event, Key, Row, Service, System, Topic, days, seconds
from tidings.engine.sqlite.reader import SqliteReader
from tidings.engine.unit import Batch, Partition
from tidings.errors import Refused, Truncated
from tidings.testing import run

pytestmark = pytest.mark.anyio
shipping = Topic("shipping", partitions=1, retention=days(1))
PLACE = Partition("shipping", 0)


class Shelf(Row, table="shelves"):
    item: Key[str]
    count: int = 0


class Arrived(Event, topic=shipping):
    item: Key[str]


def hall() -> tuple[System, Service]:
    stock = Service("stock")

    @stock.on
    def arrived(event: Arrived, shelf: Shelf) -> Shelf:
        shelf.count += 1
        return shelf

    return System("hall", [stock]), stock


async def test_a_group_that_slept_too_long_says_what_it_lost_and_goes_on_when_that_is_accepted() -> None:
    system, stock = hall()
    async with run(system) as world:
        await world.publish(Arrived(item="i-1"))
        await world.settle()
        await world.pause(stock)
        await world.publish(Arrived(item="i-1"), Arrived(item="i-1"))
        await world.clock.advance(days(2))
        while await world._runtime.engine.log.sweep(100):
            pass
        await world.publish(Arrived(item="i-1"))
        (row,) = [p for p in await world._store.progress("stock") if p.partition == PLACE]
        assert row.paused is not None and row.paused.startswith("truncated: ")
        with pytest.raises(Refused, match="lost events to retention"):
            await world.resume(stock)
        await world.resume(stock, accept_loss=True)
        assert await world.get(Shelf, "i-1") == Shelf(item="i-1", count=2)


async def test_what_retention_said_is_not_overwritten_by_the_reader_that_finds_the_hole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Retention marks the group in its own commit; a reader that is at work may meet the hole before the mark."""
    system, _ = hall()
    fetch = SqliteReader.fetch
    holes: list[Truncated] = []

    async def fetch_at_the_hole(self: SqliteReader, limit: int, size: int) -> Sequence[Batch]:
        if holes:
            raise holes.pop()
        return await fetch(self, limit, size)

    monkeypatch.setattr(SqliteReader, "fetch", fetch_at_the_hole)
    async with run(system) as world:
        await world.settle()
        store = world._runtime.engine.store
        await store.set_paused("stock", [PLACE], "truncated: 3..6")
        holes.append(Truncated(*PLACE, 7))
        await world.publish(Arrived(item="i-1"))
        await world.clock.advance(seconds(60))
        assert not holes
        (row,) = [p for p in await store.progress("stock") if p.partition == PLACE]
        assert row.paused == "truncated: 3..6"
