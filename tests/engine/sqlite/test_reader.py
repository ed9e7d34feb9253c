"""A member's stream of records on one file: lanes, windows, places."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.sqlite.kit import P0, event, fresh, kept
from tidings.engine.port import Reader, Topic
from tidings.engine.sqlite import Sqlite, reader, scan
from tidings.engine.unit import Batch, Partition, Unit

pytestmark = pytest.mark.anyio


async def many(engine: Sqlite, first: int, count: int, part: int, topic: str = "t") -> None:
    await kept(engine, Unit(events=[event(n, part, topic=topic) for n in range(first, first + count)]))


async def sit(engine: Sqlite, start: dict[Partition, int]) -> Reader:
    found = await engine.log.join("g", sorted({p.topic for p in start}), "m")
    await found.change()
    found.start(await engine.store.claim("g", "m", start))
    return found


def numbers(batches: list[Batch]) -> list[int]:
    return [int(r.data or b"") for b in batches for r in b.records]


async def test_a_partition_that_lags_does_not_hold_up_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "APART", 50)
    async with fresh(tmp_path / "x.db", 2) as engine:
        await many(engine, 0, 2000, 0)
        found = await sit(engine, {P0: 0, Partition("t", 1): 2000})
        await many(engine, 5000, 1, 1)
        heard: list[int] = []
        for _ in range(3):
            heard += numbers(list(await found.fetch(100)))
        assert 5000 in heard and len(heard) < 400, "it came while the other one was far behind"
        while len(heard) < 2001:
            heard += numbers(list(await found.fetch(500)))
        assert [n for n in heard if n != 5000] == list(range(2000)), "and nothing twice, nothing lost"
        await many(engine, 6000, 2, 0)
        await many(engine, 6002, 2, 1)
        heard = []
        while len(heard) < 4:
            heard += numbers(list(await found.fetch(500)))
        assert sorted(heard) == [6000, 6001, 6002, 6003], "each goes on from its place"
        assert isinstance(found, reader.SqliteReader) and len(found._lanes) == 1, "and they share a lane again"


async def test_a_quiet_partition_is_led_past_the_records_of_others_by_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "WINDOW", 5000)
    async with fresh(tmp_path / "x.db", 1) as engine:
        await engine.log.declare([Topic("busy", 1)])
        await many(engine, 0, 30_000, 0, "busy")
        await many(engine, 77, 1, 0)
        found = await sit(engine, {P0: 0})
        ends = []
        while True:
            batches = await found.fetch(500)
            ends.append(batches[0].next)
            if numbers(list(batches)):
                break
        assert numbers(list(batches)) == [77]
        assert ends == sorted(ends) and len(ends) > 3, "its progress is handed on on the way"


async def test_size_bounds_a_batch_and_one_record_comes_at_least(tmp_path: Path) -> None:
    async with fresh(tmp_path / "x.db", 1) as engine:
        await kept(engine, Unit(events=[event(n, size=1000) for n in range(10)]))
        found = await sit(engine, {P0: 0})
        assert [len((await found.fetch(500, size))[0].records) for size in (1, 2500, 1 << 20)] == [1, 3, 6]


async def test_a_seek_back_of_one_partition_repeats_nothing_of_another(tmp_path: Path) -> None:
    async with fresh(tmp_path / "x.db", 2) as engine:
        for n in range(0, 40, 2):
            await kept(engine, Unit(events=[event(n, 0), event(n + 1, 1)]))
        found = await sit(engine, {P0: 0, Partition("t", 1): 0})
        assert numbers(list(await found.fetch(500)))
        found.start(await engine.store.claim("g", "m", {P0: 0}))
        batches = await found.fetch(500)
        assert [b.partition for b in batches] == [P0]
        assert min(numbers(list(batches))) == 0 and len(numbers(list(batches))) == 20


async def test_a_partition_that_is_stopped_and_started_again_goes_on_from_its_claim(tmp_path: Path) -> None:
    async with fresh(tmp_path / "x.db", 1) as engine:
        await kept(engine, Unit(events=[event(n) for n in range(10)]))
        found = await sit(engine, {P0: 0})
        await found.fetch(3)
        found.stop([P0])
        found.start(await engine.store.claim("g", "m", {P0: 0}))
        assert numbers(list(await found.fetch(4))) == [0, 1, 2, 3]
        found.pause([P0], True)
        found.pause([P0], False)
        assert numbers(list(await found.fetch(4))) == [4, 5, 6, 7]
