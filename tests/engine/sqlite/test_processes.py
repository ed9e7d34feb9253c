"""Several processes on one file: real ones, that are killed, stopped and let go on at named points."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.engine.sqlite.kit import P0, P1, all_data, child, commit, event, fresh, kept, opened, tell
from tidings.engine.sqlite import Sqlite, prepare, writer
from tidings.engine.unit import Committed, Step, Unit
from tidings.errors import Unavailable

pytestmark = [pytest.mark.anyio, pytest.mark.crash]


async def seated(engine: Sqlite, name: str) -> tuple[object, int]:
    reader = await engine.log.join("g", ["t"], name)
    return reader, len((await reader.change()).gain)


# ---- appending side by side ----------------------------------------------------------------------------------------


async def test_h05_eight_processes_append_side_by_side_and_no_error_leaks(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with fresh(path) as engine, AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(child("appends", path, n, 1000, 25)) for n in range(8)]
        for worker in workers:
            assert await worker.said() == "ready"
        for worker in workers:
            worker.go()
        offsets: list[int] = []
        for worker in workers:
            while (line := await worker.said()) != "done":
                offsets.append(int(line))
        assert sorted(offsets) == list(range(8000)), "each offset once, without a hole"
        data = await all_data(engine)
        assert len(set(data)) == 8000
        for n in range(8):
            mine = [int(d.split(b":")[1]) for d in data if d.startswith(b"%d:" % n)]
            assert len(mine) == 1000


async def test_h05_processes_that_open_a_new_file_at_once_make_it_once(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(child("opens", path)) for _ in range(8)]
        for worker in workers:
            assert await worker.said() == "ready"
        for worker in workers:
            worker.go()
        for worker in workers:
            assert await worker.said() == "done"
            assert await worker.ended() == 0
        async with opened(path) as engine:
            assert sorted(await all_data(engine)) == sorted(b"%d" % worker.pid for worker in workers)


async def test_of_saturated_processes_none_waits_for_many_turns_of_others(tmp_path: Path) -> None:
    """Without a line, SQLite gives its lock to whoever asks at the right moment: hundreds of turns before one's own."""
    path = tmp_path / "x.db"
    async with fresh(path) as engine, AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(child("saturates", path, n, 1500)) for n in range(4)]
        for worker in workers:
            assert await worker.said() == "ready"
        for worker in workers:
            worker.go()
        for worker in workers:
            assert await worker.said() == "done"
        start = {e.partition: 0 for e in await engine.log.extents(["t"])}
        turns = sorted((r.offset, b.partition.number) for b in await engine.log.read(start, 5000) for r in b.records)
        order = [number for _, number in turns]
        assert longest_wait(order) < 600


def longest_wait(order: list[int]) -> int:
    """The most records of others between two of one who always wanted; a turn writes at most 20."""
    last: dict[int, int] = {}
    longest = 0
    for place, number in enumerate(order):
        longest = max(longest, place - last.get(number, place))
        last[number] = place
    return longest


async def test_a_commit_of_one_process_wakes_another(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with fresh(path) as engine, child("hears", path) as other:
        assert await other.said() == "ready"
        for n in range(5):
            await tell(engine, event(n, n % 4))
            assert await other.said() == str(n)


# ---- members that die or freeze ------------------------------------------------------------------------------------


async def test_a_dead_member_is_seen_at_once_by_its_lock(tmp_path: Path) -> None:
    """The lease is an hour: only the lock can tell."""
    path = tmp_path / "x.db"
    async with fresh(path, lease=3600.0, beat=1800.0) as engine:
        reader, count = await seated(engine, "a")
        assert count == 4
        async with child("member", path, "b", 3600) as other:
            assert await other.said() == "2 0"
            drained = (await asyncio.wait_for(reader.change(), 30)).drain  # type: ignore[attr-defined]
            waiting = asyncio.ensure_future(reader.change())  # type: ignore[attr-defined]
            other.signal(signal.SIGKILL)
            assert (await asyncio.wait_for(waiting, 30)).gain == drained
            assert {s.member: s.alive for s in await engine.log.members("g")} == {"a": True, "b": False}


async def test_a_frozen_member_is_seen_by_its_lease(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with fresh(path, lease=0.5, beat=0.1) as engine:
        reader, _ = await seated(engine, "a")
        waiting = asyncio.ensure_future(reader.change())  # type: ignore[attr-defined]
        async with child("member", path, "b", 0.5) as other:
            assert await other.said() == "2 0"
            drained = (await asyncio.wait_for(waiting, 30)).drain
            other.signal(signal.SIGSTOP)
            assert (await asyncio.wait_for(reader.change(), 30)).gain == drained  # type: ignore[attr-defined]
            other.signal(signal.SIGCONT)
            assert (await asyncio.wait_for(reader.change(), 30)).drain == drained, "it is there again"  # type: ignore[attr-defined]


async def test_h17_a_zombie_that_decided_before_it_froze_is_fenced(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with fresh(path) as engine:
        await tell(engine, event(1))
        async with child("zombie", path) as zombie:
            assert await zombie.said() == "decided"
            await zombie.stopped()
            claim = (await engine.store.claim("g", "thief", {P0: 0}))[0]
            await kept(engine, Unit("g", [Step(P0, claim.epoch, claim.held_gen, 0, 1)], events=[event(2000, 1)]))
            zombie.signal(signal.SIGCONT)
            assert await zombie.said() == "Fenced"
        assert await all_data(engine, P1) == [b"2000"], "one effect, not two"


async def test_h17_a_process_stopped_inside_its_commit_is_named_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PATIENCE", 0.2)
    path = tmp_path / "x.db"
    async with fresh(path) as engine, child("stops_at", path, "sqlite.written") as other:
        assert await other.said() == "committing"
        await other.stopped()
        with pytest.raises(Unavailable) as caught:
            await tell(engine, event(1))
        assert f"process {other.pid}" in caught.value.message and "kill -CONT" in caught.value.hint
        assert (await engine.facts())["writer"] == other.pid
        assert await all_data(engine) == [], "readers go on meanwhile"
        async with opened(path, create=False) as looker:
            assert [t.name for t in await looker.log.topics()] == ["t"], "and the file can be opened"
        waiting = asyncio.ensure_future(commit(engine, Unit(events=[event(2)])))
        other.signal(signal.SIGCONT)
        assert await other.said() == "Committed"
        assert isinstance(await waiting, Committed)
        assert sorted(await all_data(engine)) == [b"1000", b"2"]


async def test_h17_one_who_must_change_a_file_to_open_it_is_told_who_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "PATIENCE", 0.05)
    path = tmp_path / "x.db"
    async with fresh(path):
        pass
    async with child("stops_at", path, "sqlite.written") as other:
        assert await other.said() == "committing"
        await other.stopped()
        monkeypatch.setattr(prepare, "is_settled", lambda *_, **__: False)
        with pytest.raises(Unavailable) as caught:
            async with opened(path):
                pass
        assert f"process {other.pid}" in caught.value.message


@pytest.mark.parametrize(("point", "there"), [("begun", False), ("written", False), ("committed", True)])
async def test_a_process_that_dies_in_its_commit_leaves_all_or_nothing(tmp_path: Path, point: str, there: bool) -> None:
    path = tmp_path / "x.db"
    async with fresh(path) as engine:
        async with child("commits", path, crash=f"sqlite.{point}:1") as other:
            assert await other.said() == "committing"
            assert await other.ended() == -signal.SIGKILL
        await tell(engine, event(99))
        assert await all_data(engine) == [b"1", b"2", b"99"] if there else [b"99"]


async def test_a_lock_file_is_left_and_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with fresh(path) as engine:
        async with child("member", path, "b", 3600) as other:
            assert await other.said() == "4 0"
            other.signal(signal.SIGKILL)
            await other.ended()
        reader, count = await seated(engine, "b")
        assert count == 4, "its name can be used again at once"
        await reader.leave()  # type: ignore[attr-defined]
    async with opened(path) as engine:
        assert not await engine.log.members("g")
        assert Counter(name.name for name in tmp_path.iterdir() if name.is_dir()) == {"x.db.members": 1}
        assert not os.listdir(tmp_path / "x.db.members")
