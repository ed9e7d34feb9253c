"""The layout of the file: only forward, under the lock, all or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.engine.sqlite.kit import all_data, event, fresh, opened, tell
from tidings.engine.port import Table
from tidings.engine.sqlite import migrate
from tidings.engine.sqlite.sql import value_of
from tidings.errors import Refused

pytestmark = pytest.mark.anyio
NEXT = migrate.LATEST + 1


def look(path: Path, sql: str) -> Any:
    c = apsw.Connection(str(path))
    try:
        return value_of(c, sql)
    finally:
        c.close()


def layout(path: Path) -> int:
    return int(look(path, "select value from tidings_meta where name = 'schema'"))


def step(monkeypatch: pytest.MonkeyPatch, sql: str) -> None:
    """As if this were the next tidings."""
    monkeypatch.setattr(migrate, "VERSIONS", migrate.VERSIONS | {NEXT: sql})
    monkeypatch.setattr(migrate, "LATEST", NEXT)


async def test_a_new_file_has_the_latest_layout_and_an_identity(tmp_path: Path) -> None:
    for name in ("a", "b"):
        async with opened(tmp_path / name):
            pass
    assert layout(tmp_path / "a") == migrate.LATEST
    files = {look(tmp_path / name, "select value from tidings_meta where name = 'file'") for name in ("a", "b")}
    assert len(files) == 2


async def test_an_older_file_is_brought_forward_and_keeps_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.db"
    async with fresh(path) as engine:
        await tell(engine, event(1))
    step(monkeypatch, "create table tidings_later(id integer primary key) strict;")
    async with opened(path) as engine:
        await tell(engine, event(2))
        assert await all_data(engine) == [b"1", b"2"]
    assert layout(path) == NEXT and look(path, "select count(*) from tidings_later") == 0


async def test_a_step_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.db"
    async with fresh(path) as engine:
        await tell(engine, event(1))
    with monkeypatch.context() as later:
        step(
            later, "create table tidings_later(id integer primary key) strict; drop table tidings_log; create nonsense;"
        )
        with pytest.raises(Refused):
            async with opened(path):
                pass
    assert layout(path) == migrate.LATEST
    async with opened(path) as engine:
        assert await all_data(engine) == [b"1"]


async def test_a_file_of_a_later_tidings_is_refused_and_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.db"
    with monkeypatch.context() as later:
        step(later, "create table tidings_later(id integer primary key) strict;")
        async with fresh(path) as engine:
            await tell(engine, event(1))
    before = path.read_bytes()
    with pytest.raises(Refused) as caught:
        async with opened(path):
            pass
    assert f"layout is {NEXT}" in caught.value.message and "later tidings" in caught.value.hint
    assert path.read_bytes() == before


async def test_one_who_only_looks_migrates_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.db"
    async with fresh(path):
        pass
    step(monkeypatch, "create table tidings_later(id integer primary key) strict;")
    with pytest.raises(Refused) as caught:
        async with opened(path, create=False):
            pass
    assert caught.value.hint and layout(path) == migrate.LATEST - 1


async def test_tidings_moves_into_somebody_elses_database(tmp_path: Path) -> None:
    """Tables of others stay, and a table of rows never takes one of theirs."""
    path = tmp_path / "x.db"
    c = apsw.Connection(str(path))
    c.execute(
        "create table log (id text primary key, words text);"
        "insert into log values ('a', 'mine'); pragma user_version = 7"
    )
    c.close()
    async with fresh(path) as engine:
        await tell(engine, event(1))
        assert list(await engine.store.query("select words from log", {})) == [("mine",)]
        with pytest.raises(Refused) as caught:
            await engine.store.tables([Table("log", [("id", "text"), ("words", "text")])])
        assert "not tidings'" in caught.value.message
        for bad in ("tidings_x", "sqlite_x", "a b", 'a"; drop table log', "1a", ""):
            with pytest.raises(Refused):
                await engine.store.tables([Table(bad, [("id", "text")])])
        with pytest.raises(Refused) as caught:
            await engine.store.tables([Table("x", [("id", "txt")])])
        assert "text" in caught.value.hint
        for column in ("_version", "id"):
            with pytest.raises(Refused):
                await engine.store.tables([Table("y", [("id", "text"), (column, "text")])])
    assert look(path, "pragma user_version") == 7
