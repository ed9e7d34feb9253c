"""A disk that is full, read-only or failing: a clear error, nothing lost, and work goes on without a restart."""

from __future__ import annotations

import asyncio
import os
import pwd
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.engine.sqlite.kit import P0, all_data, child, commit, event, fresh, opened, tell
from tidings.engine.unit import Committed, Once, Unit, Unknown
from tidings.errors import Refused, Unavailable

pytestmark = pytest.mark.anyio


# ---- full ----------------------------------------------------------------------------------------------------------


async def test_n6_a_file_that_may_not_grow_is_said_and_work_goes_on_after_it_may(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with fresh(path):
        pass
    async with child("fills", path, 300_000) as other:
        said = await other.said()
        done = int(said.split()[0])
        assert done > 3 and "Unavailable" in said and "grow" in said and "limit" in said, said
        other.go()
        assert await other.said() == f"went on after {done}"
        assert await other.ended() == 0
    async with opened(path) as engine:
        found = [int(data.rstrip(b".")) for data in await all_data(engine)]
        assert found == [*range(done), 9999], "what was acknowledged is there, what was refused is not"


async def test_n6_a_full_disk_is_said_and_work_goes_on_when_there_is_space(tmp_path: Path) -> None:
    async with fresh(tmp_path / "x.db") as engine:
        await tell(engine, event(1))
        c: Any = engine._core.writer._c
        pages = c.execute("pragma page_count").fetchall()[0][0]
        c.execute(f"pragma max_page_count = {pages + 3}")
        with pytest.raises(Unavailable) as caught:
            await asyncio.gather(*(tell(engine, event(n, size=9000)) for n in range(2, 9)))
        assert "full" in caught.value.message and "space" in caught.value.hint
        c.execute("pragma max_page_count = 1000000")
        await tell(engine, event(9, size=9000))
        found = [int(data.rstrip(b".")) for data in await all_data(engine)]
        assert found[0] == 1 and found[-1] == 9


# ---- not ours to open ----------------------------------------------------------------------------------------------


async def test_a_folder_a_text_file_and_nowhere_are_refused_and_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("these are notes, and not a database at all, however long they are. " * 100)
    before = text.read_bytes()
    (tmp_path / "folder").mkdir()
    for path, kind, words in [
        (text, Refused, "not an SQLite database"),
        (tmp_path / "folder", Unavailable, "is a folder"),
        (tmp_path / "nowhere" / "x.db", Unavailable, "no folder that exists"),
    ]:
        with pytest.raises(kind) as caught:
            async with opened(path):
                pass
        assert words in caught.value.message and caught.value.hint
    assert text.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "notes.txt"], "and nothing is put beside them"


async def test_a_file_is_not_made_for_one_who_only_looks(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with pytest.raises(Unavailable) as caught:
        async with opened(path, create=False):
            pass
    assert "no file" in caught.value.message and not path.exists()
    async with fresh(path), opened(path, create=False) as looker:
        assert [t.name for t in await looker.log.topics()] == ["t"]


@pytest.mark.crash
async def test_a_file_that_may_not_be_written_is_said() -> None:
    """Root may write everything, so that another user tries."""
    user = pwd.getpwnam("nobody").pw_uid if os.getuid() == 0 else os.getuid()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.db"
        async with fresh(path) as engine:
            await tell(engine, event(1))
        for file in Path(folder).iterdir():
            file.chmod(0o555 if file.is_dir() else 0o444)
        Path(folder).chmod(0o555)
        async with child("reads_only", path, user) as other:
            said = await other.said()
        Path(folder).chmod(0o755)
    assert said.startswith("Unavailable") and "right to write" in said, said


# ---- failing -------------------------------------------------------------------------------------------------------


class Faults(apsw.VFS):
    """The machine's own file system, but for what the test says. `calls` counts what could fail."""

    def __init__(self) -> None:
        self.fail: dict[str, apsw.Error] = {}
        self.countdown = -1
        self.calls = 0
        super().__init__("faults", "")

    def xOpen(self, name: Any, flags: Any) -> FaultyFile:  # noqa: N802
        return FaultyFile(self, name, flags)

    def meet(self, what: str) -> None:
        self.calls += 1
        if self.countdown >= 0:
            self.countdown -= 1
            if self.countdown == -1:
                raise self.fail["next"]
        if what in self.fail:
            raise self.fail.pop(what)


class FaultyFile(apsw.VFSFile):
    def __init__(self, faults: Faults, name: Any, flags: Any) -> None:
        self.faults = faults
        super().__init__("", name, flags)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self.faults.meet("sync")
        super().xSync(flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self.faults.meet("write")
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self.faults.meet("truncate")
        super().xTruncate(size)


def failure(kind: type[apsw.Error], extended: int) -> apsw.Error:
    error = kind("planted")
    error.result, error.extendedresult = extended & 0xFF, extended  # type: ignore[attr-defined]
    return error


@contextmanager
def faults(monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    made = Faults()
    plain = apsw.Connection

    def connection(path: str, **options: Any) -> apsw.Connection:
        return plain(path, vfs="faults", **options)

    monkeypatch.setattr("tidings.engine.sqlite.connect.apsw.Connection", connection)
    try:
        yield made
    finally:
        monkeypatch.undo()
        made.unregister()


async def test_n7_a_failed_fsync_is_unknown_and_the_handle_is_thrown_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with faults(monkeypatch) as disk:
        async with fresh(tmp_path / "x.db") as engine:
            await tell(engine, event(1))
            before = engine._core.writer._c
            unit = Unit(once=[Once("call", b"x", b"memo")], events=[event(2)])
            disk.fail["sync"] = failure(apsw.IOError, apsw.SQLITE_IOERR_FSYNC)
            answer = await commit(engine, unit)
            assert isinstance(answer, Unknown) and answer.error
            assert engine._core.writer._c is not before
            again = await commit(engine, unit)
            assert type(again).__name__ in ("Committed", "Conflict"), "the mark tells whether it had happened"
            await tell(engine, event(3))
            assert await all_data(engine) == [b"1", b"2", b"3"]
        assert before is not None
        with pytest.raises(apsw.ConnectionClosedError):
            before.execute("select 1")


async def test_n7_a_failed_fsync_is_unavailable_to_those_who_commit_no_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with faults(monkeypatch) as disk:
        async with fresh(tmp_path / "x.db") as engine:
            disk.fail["sync"] = failure(apsw.IOError, apsw.SQLITE_IOERR_FSYNC)
            with pytest.raises(Unavailable):
                await engine.store.claim("g", "m", {P0: 0})
            assert (await engine.store.claim("g", "m", {P0: 0}))[0].partition == P0


@pytest.mark.parametrize(
    ("kind", "extended"),
    [
        (apsw.FullError, apsw.SQLITE_FULL),
        (apsw.IOError, apsw.SQLITE_IOERR_WRITE),
        (apsw.IOError, apsw.SQLITE_IOERR_FSYNC),
    ],
)
async def test_n2_whatever_call_to_the_disk_fails_nothing_acknowledged_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[apsw.Error], extended: int
) -> None:
    """Each write, fsync and truncate of a few commits in turn, until a run meets no failure any more."""
    with faults(monkeypatch) as disk:
        for n in range(400):
            path = tmp_path / f"{n}.db"
            async with fresh(path) as engine:
                disk.fail["next"] = failure(kind, extended)
                disk.countdown = n
                acknowledged = await some_work(engine)
                clean = disk.countdown >= 0
                disk.countdown = -1
                await tell(engine, event(99))
                found = await all_data(engine)
                assert set(acknowledged) <= set(found) <= {b"0", b"1", b"2", b"3", b"99"}, n
                assert len(found) == len(set(found)), n
                assert not (await engine.facts(thorough=True))["damage"], n
            if clean:
                break
        else:
            raise AssertionError("the run never became clean")
        assert n > 3, "there were calls that failed"


async def some_work(engine: Any) -> list[bytes]:
    """Commits until one is not acknowledged; what was."""
    acknowledged = []
    for n in range(4):
        try:
            answer = await commit(engine, Unit(events=[event(n, size=0)]))
        except Unavailable:
            continue
        if isinstance(answer, Committed):
            acknowledged.append(b"%d" % n)
    return acknowledged


# ---- taken away ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("replaced", [False, True], ids=["removed", "replaced"])
async def test_n6_a_file_that_is_taken_away_under_us_acknowledges_nothing(tmp_path: Path, replaced: bool) -> None:
    """The system would take the writes, and they would be gone with the last handle."""
    path = tmp_path / "x.db"
    async with fresh(path) as engine:
        await tell(engine, event(1))
        path.rename(tmp_path / "kept.db")
        if replaced:
            path.write_bytes((tmp_path / "kept.db").read_bytes())
        with pytest.raises(Unavailable, match="removed or replaced") as caught:
            await tell(engine, event(2))
        assert "start them again" in caught.value.hint
        (tmp_path / "kept.db").rename(path)
        await tell(engine, event(3))
    async with opened(path) as engine:
        assert [int(data.rstrip(b".")) for data in await all_data(engine)] == [1, 3]


async def test_n6_another_working_directory_is_not_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    async with fresh(Path("x.db")) as engine:
        monkeypatch.chdir(tmp_path / "elsewhere")
        engine._core.writer._drop_handle()  # as after an error of the disk
        await tell(engine, event(1))
        assert [int(data.rstrip(b".")) for data in await all_data(engine)] == [1]
    assert list((tmp_path / "elsewhere").iterdir()) == []
