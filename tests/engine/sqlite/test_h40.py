"""H40: closing. What was put is answered, seats are left, and one deadline holds for all of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.engine.sqlite.kit import all_data, child, commit, event, fresh, opened, tell
from tidings.engine.unit import Committed, Unit
from tidings.errors import Closed, TidingsError, Unavailable

pytestmark = pytest.mark.anyio


async def test_h40_what_was_put_before_the_close_is_answered_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with fresh(path) as engine:
        flights = [asyncio.ensure_future(commit(engine, Unit(events=[event(n)]))) for n in range(500)]
        await asyncio.sleep(0)
        await engine.close()
        answers = [flight.result() for flight in flights]
        assert all(isinstance(answer, Committed) for answer in answers)
    async with opened(path) as engine:
        assert await all_data(engine) == [b"%d" % n for n in range(500)]


async def test_h40_a_close_under_load_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with fresh(path) as engine:
        acknowledged: list[bytes] = []
        started = asyncio.Event()

        async def work(mine: int) -> None:
            for n in range(10_000):
                number = mine * 10_000 + n
                try:
                    await tell(engine, event(number))
                except Closed:
                    return
                acknowledged.append(b"%d" % number)
                if len(acknowledged) > 200:
                    started.set()

        workers = [asyncio.ensure_future(work(n)) for n in range(20)]
        await started.wait()
        await engine.close()
        await asyncio.gather(*workers)
    async with opened(path) as engine:
        assert sorted(await all_data(engine)) == sorted(acknowledged)


@pytest.mark.crash
async def test_h40_a_close_behind_a_stopped_process_ends_at_its_deadline_and_says_what_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with fresh(path) as engine, child("stops_at", path, "sqlite.written") as other:
        assert await other.said() == "committing"
        await other.stopped()
        waiting = asyncio.ensure_future(tell(engine, event(1)))
        await asyncio.sleep(0)
        await engine.close(within=0.1)
        with pytest.raises(Unavailable, match="nothing was sent"):
            await waiting
        with pytest.raises(TidingsError):
            await tell(engine, event(2))


async def test_h40_handles_threads_and_files_are_given_back(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with fresh(path) as engine:
        await engine.log.join("g", ["t"], "m")
        await tell(engine, event(1))
        await engine.store.query("select 1", {})
        assert files(tmp_path)
    assert not files(tmp_path)
    assert not engine._core.writer._thread.is_alive()
    assert not path.with_name("x.db-wal").exists(), "the last one to close copies the WAL and takes it away"


def files(folder: Path) -> list[str]:
    """What this process has open of a folder."""
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            links.append(str(descriptor.readlink()))
        except FileNotFoundError:  # it was the one by which this folder is read
            pass
    return [link for link in links if link.startswith(str(folder))]
