"""Retention and compaction on a file: by steps, across restarts, and with a death in the middle."""

from __future__ import annotations

import signal
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.engine.sqlite.kit import P0, P1, all_data, child, event, fresh, kept, opened, tell
from tidings.clock import seconds
from tidings.engine.port import Topic
from tidings.engine.sqlite import Sqlite, retention
from tidings.engine.unit import Event, Partition, Step, Unit
from tidings.testing.clock import SteeredClock

pytestmark = pytest.mark.anyio
DAY = 86400.0


async def many(engine: Sqlite, first: int, count: int, *, topic: str = "t", size: int = 0, partitions: int = 4) -> None:
    events = [event(n, n % partitions, b"k%d" % (n % 10), topic, size) for n in range(first, first + count)]
    await kept(engine, Unit(events=events))


async def sweep(engine: Sqlite, limit: int = 100) -> int:
    gone = 0
    while step := await engine.log.sweep(limit):
        assert step <= limit
        gone += step
    return gone


async def test_offsets_are_never_used_again(tmp_path: Path) -> None:
    path, clock = tmp_path / "x.db", SteeredClock()
    async with fresh(path, topic={"keep": DAY}, clock=clock) as engine:
        await many(engine, 0, 50)
        clock.jump(seconds(2 * DAY))
        assert await sweep(engine) == 50
    async with opened(path, clock=clock) as engine:
        assert {e.next for e in await engine.log.extents(["t"])} == {50}
        await tell(engine, event(1000))
        assert (await engine.log.read({P0: 50}, 9))[0].records[0].offset == 50


async def test_a_topic_that_stays_is_not_looked_at_for_one_that_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows of few positions, records of both topics mixed: every record that is old goes, no other does."""
    monkeypatch.setattr(retention, "WINDOW", 16)
    clock = SteeredClock()
    async with fresh(tmp_path / "x.db", topic={"keep": DAY}, clock=clock) as engine:
        await engine.log.declare([Topic("for_ever", 1, keep=None)])
        for n in range(0, 200, 10):
            await many(engine, n, 5)
            await many(engine, n, 5, topic="for_ever", partitions=1)
        clock.jump(seconds(2 * DAY))
        await many(engine, 900, 8)
        assert await sweep(engine, 7) == 100
        assert len(await all_data(engine)) == 8
        stays = await engine.log.read({Partition("for_ever", 0): 0}, 500)
        assert sum(len(b.records) for b in stays) == 100
        assert await engine.log.sweep(100) == 0


async def test_one_partition_that_must_stay_does_not_keep_the_others(tmp_path: Path) -> None:
    clock = SteeredClock()
    async with fresh(tmp_path / "x.db", topic={"keep": DAY, "hold_for_groups": True}, clock=clock) as engine:
        await engine.store.claim("slow", "m", {P0: 0})
        await many(engine, 0, 400)
        clock.jump(seconds(2 * DAY))
        assert await sweep(engine, 10) == 300, "all but what the slow group has still to read"
        assert len(await all_data(engine, P0)) == 100 and not await all_data(engine, P1)


async def test_a_group_that_goes_back_between_the_look_and_the_deletion_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SteeredClock()
    async with fresh(tmp_path / "x.db", topic={"keep": DAY, "hold_for_groups": True}, clock=clock) as engine:
        claim = (await engine.store.claim("g", "m", {P0: 0}))[0]
        await many(engine, 0, 40)
        await kept(engine, Unit("g", [Step(P0, claim.epoch, claim.held_gen, 0, 40)]))
        clock.jump(seconds(2 * DAY))
        plain, calls = engine._core.users.run, count()

        async def interrupted(*arguments: Any) -> Any:
            result = await plain(*arguments)
            if next(calls) == 1:  # the first one counts bytes, the second one looks
                await engine.store.move("g", {P0: 8})
            return result

        monkeypatch.setattr(engine._core.users, "run", interrupted)
        await engine.log.sweep(1000)
        monkeypatch.undo()
        assert next(calls) > 2 and len(await all_data(engine, P0)) == 8, "0 and 4 are behind it, the rest before it"
        assert all(p.paused is None for p in await engine.store.progress("g"))


async def test_a_cap_on_disk_waits_for_nobody_and_says_who_lost(tmp_path: Path) -> None:
    clock = SteeredClock()
    topic = {"keep": DAY, "hold_for_groups": True, "keep_bytes": 2000}
    async with fresh(tmp_path / "x.db", 1, topic=topic, clock=clock) as engine:
        await engine.store.claim("slow", "m", {P0: 0})
        await many(engine, 0, 100, size=100, partitions=1)
        extent = (await engine.log.extents(["t"]))[0]
        assert extent.bytes > 10_000
        await sweep(engine)
        extent = (await engine.log.extents(["t"]))[0]
        assert 0 < extent.bytes <= 2000
        row = (await engine.store.progress("slow"))[0]
        assert row.paused == f"truncated: 0..{extent.first - 1}" and row.held_gen == 1


async def test_bytes_are_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidings.engine.sqlite.sizes.MUCH", 10)
    clock = SteeredClock()
    async with fresh(tmp_path / "x.db", topic={"keep": DAY}, clock=clock) as engine:

        async def agree() -> None:
            for extent in await engine.log.extents(["t"]):
                batches = await engine.log.read({extent.partition: extent.first}, 5000)
                there = [len(r.key or b"") + len(r.head) + len(r.data or b"") for b in batches for r in b.records]
                assert extent.bytes == sum(there)

        for n in range(0, 90, 30):
            await many(engine, n, 30, size=n)
            await agree()
            clock.jump(seconds(0.4 * DAY))
            await sweep(engine)
            await agree()
        await tell(engine, Event("t", 0, None, b"i" * 16, b"", None))
        await agree()


# ---- compaction ----------------------------------------------------------------------------------------------------


def latest(records: list[tuple[bytes | None, bytes | None]]) -> dict[bytes, bytes | None]:
    return {key: data for key, data in records if key is not None}


async def records(engine: Sqlite, part: Partition) -> list[tuple[bytes | None, bytes | None]]:
    return [(r.key, r.data) for b in await engine.log.read({part: 0}, 5000) for r in b.records]


async def test_i16_the_last_value_of_each_key_survives_whatever_the_steps(tmp_path: Path) -> None:
    clock = SteeredClock()
    async with fresh(tmp_path / "x.db", 2, topic={"compact": True}, clock=clock) as engine:
        await engine.store.claim("g", "m", {P0: 0, P1: 0})
        for first in range(0, 300, 50):
            await many(engine, first, 50, partitions=2)
            before = {part: latest(await records(engine, part)) for part in (P0, P1)}
            await engine.log.sweep(7)
            clock.jump(seconds(100 * DAY))
            for part in (P0, P1):
                assert latest(await records(engine, part)) == before[part]
        await sweep(engine, 7)
        for part in (P0, P1):
            found = await records(engine, part)
            assert len(found) == len(latest(found)) == 5


async def test_a_tombstone_goes_when_every_group_is_past_it(tmp_path: Path) -> None:
    async with fresh(tmp_path / "x.db", 1, topic={"compact": True}) as engine:
        claim = (await engine.store.claim("g", "m", {P0: 0}))[0]
        await tell(engine, event(1), event(2, 0, b"l"), Event("t", 0, b"k", b"i" * 16, b"head", None))
        assert await sweep(engine) == 1
        assert await records(engine, P0) == [(b"l", b"2"), (b"k", None)], "the group has yet to hear that k is gone"
        await kept(engine, Unit("g", [Step(P0, claim.epoch, claim.held_gen, 0, 3)]))
        assert await sweep(engine) == 1
        await tell(engine, event(4))
        await sweep(engine)
        assert await records(engine, P0) == [(b"l", b"2"), (b"k", b"4")]


@pytest.mark.crash
@pytest.mark.parametrize("topic", [{"keep": -1.0}, {"compact": True}])
async def test_a_sweeper_that_dies_has_taken_nothing(tmp_path: Path, topic: dict[str, Any]) -> None:
    path = tmp_path / "x.db"
    async with fresh(path, topic=topic) as engine:
        await engine.store.claim("slow", "m", {P0: 0})
        await many(engine, 0, 100)
        before = await all_data(engine)
        async with child("sweeps", path, crash="sqlite.swept:1") as other:
            assert await other.said() == "sweeping"
            assert await other.ended() == -signal.SIGKILL
        assert await all_data(engine) == before
        assert all(row.paused is None for row in await engine.store.progress())
        gone = await sweep(engine)
        assert gone == (100 if "keep" in topic else 80)
        assert not (await engine.facts(thorough=True))["damage"]
