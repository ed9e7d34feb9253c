"""Transactional handlers: user code inside the commit never keeps others from theirs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.sqlite.kit import all_data, commit, event, fresh, kept, opened, tell
from tidings.engine.port import Table
from tidings.engine.sqlite import Sqlite
from tidings.engine.unit import Address, Committed, Failed, Inner, Inside, Transaction, Unit, Write
from tidings.errors import Refused

pytestmark = pytest.mark.anyio
ENDLESS = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"
FOREVER_WRITE = (
    "insert into bills with recursive n(i) as (select 1 union all select i + 1 from n) select 'x' || i, i from n"
)
Run = Callable[[Transaction], Inner]


def doing(sql: str) -> Run:
    def run(tx: Transaction) -> Inner:
        tx.execute(sql)
        return Inner()

    return run


def inside(run: Run, cause: int = 7, deadline: float = 5.0) -> Unit:
    return Unit(events=[event(1)], inside=[Inside(cause, run, deadline)])


async def bills(engine: Sqlite) -> None:
    await engine.store.script("bills", "create table bills (id text primary key, n integer)")


# ---- the deadline --------------------------------------------------------------------------------------------------


async def test_a_handler_that_never_returns_fails_at_its_deadline_and_blocks_nobody(tmp_path: Path) -> None:
    never = threading.Event()

    def run(tx: Transaction) -> Inner:
        never.wait()
        return Inner()

    async with fresh(tmp_path / "x.db") as engine, opened(tmp_path / "x.db") as other:
        failed = await commit(engine, inside(run, deadline=0.1))
        assert isinstance(failed, Failed) and failed.cause == 7 and "deadline" in failed.error
        await tell(other, event(2))
        await tell(engine, event(3))
        await bills(engine)
        assert isinstance(await commit(engine, inside(doing("insert into bills values ('a', 1)"))), Committed)
        assert sorted(await all_data(engine)) == [b"1", b"2", b"3"]
        never.set()


@pytest.mark.parametrize("sql", [ENDLESS, FOREVER_WRITE])
async def test_sql_that_never_ends_is_interrupted_at_the_deadline(tmp_path: Path, sql: str) -> None:
    """An interrupted write makes SQLite take the whole transaction back: the units beside it run again without it."""
    async with fresh(tmp_path / "x.db") as engine:
        await bills(engine)
        units = [Unit(events=[event(5)]), inside(doing(sql), deadline=0.1), Unit(events=[event(6)])]
        answers = await engine.store.commit(units)
        assert [type(a).__name__ for a in answers] == ["Committed", "Failed", "Committed"]
        assert await all_data(engine) == [b"5", b"6"]
        assert await engine.store.query("select * from bills", {}) == []


async def test_a_handler_that_was_left_behind_writes_nothing_any_more(tmp_path: Path) -> None:
    woken, tried, caught = threading.Event(), threading.Event(), list[BaseException]()

    def run(tx: Transaction) -> Inner:
        woken.wait()
        try:
            tx.execute("insert into bills values ('late', 1)")
        except Refused as error:
            caught.append(error)
        tried.set()
        return Inner([event(9)])

    async with fresh(tmp_path / "x.db") as engine:
        await bills(engine)
        assert isinstance(await commit(engine, inside(run, deadline=0.05)), Failed)
        woken.set()
        assert tried.wait(30)
        await tell(engine, event(2))
        assert caught and await all_data(engine) == [b"2"]
        assert await engine.store.query("select * from bills", {}) == []


async def test_a_transaction_that_was_kept_is_over_with_its_handler(tmp_path: Path) -> None:
    kept_back: list[Transaction] = []

    def run(tx: Transaction) -> Inner:
        kept_back.append(tx)
        return Inner()

    async with fresh(tmp_path / "x.db") as engine:
        assert isinstance(await commit(engine, inside(run)), Committed)
        with pytest.raises(Refused):
            kept_back[0].execute("select 1")


async def test_a_handler_may_exit_and_takes_nothing_with_it(tmp_path: Path) -> None:
    def run(tx: Transaction) -> Inner:
        raise SystemExit(3)

    async with fresh(tmp_path / "x.db") as engine:
        answer = await commit(engine, inside(run))
        assert isinstance(answer, Failed) and "SystemExit" in answer.error
        await tell(engine, event(2))


# ---- what is refused -----------------------------------------------------------------------------------------------


REFUSED = [
    "commit", "COMMIT;", " rollback", "rollback to tidings_unit", "release tidings_unit", "begin immediate",
    "savepoint mine",
    "attach ':memory:' as other", "pragma synchronous = off", "pragma journal_mode = delete", "vacuum",
    "delete from tidings_log", "update tidings_progress set next = 9", "insert into tidings_meta values ('x', 1)",
    "drop table tidings_log", "alter table tidings_log add column more", "create temp table tidings_log (id)",
    "create temp table bills (id)", "create temp view bills as select 1", "create table tidings_mine (id)",
    "select 1; commit", "select 1; select 2", "create trigger tidings_t after insert on bills begin select 1; end",
    "create trigger t after insert on tidings_log begin select 1; end", "create index i on tidings_log (key)",
    "update tidings_meta set value = ?1 where name = 'stamp'",
]  # fmt: skip


@pytest.mark.parametrize("sql", REFUSED)
async def test_what_would_end_the_transaction_or_touch_our_tables_is_refused(tmp_path: Path, sql: str) -> None:
    async with fresh(tmp_path / "x.db") as engine:
        await bills(engine)
        await kept(engine, Unit(events=[event(4)]))  # its statements are cached, and must not be found by a user
        answer = await commit(engine, inside(doing(sql)))
        assert isinstance(answer, Failed) and answer.cause == 7, sql
        assert await all_data(engine) == [b"4"]
        await tell(engine, event(5))


async def test_a_handler_may_catch_what_was_refused_and_go_on(tmp_path: Path) -> None:
    def run(tx: Transaction) -> Inner:
        with pytest.raises(Refused):
            tx.execute("commit")
        with pytest.raises(Refused):
            tx.execute("insert into bills values (:id, 1, 2)", {"id": "a"})
        tx.execute("insert into bills values (:id, 1)", {"id": "a"})
        return Inner()

    async with fresh(tmp_path / "x.db") as engine:
        await bills(engine)
        await kept(engine, inside(run))
        assert list(await engine.store.query("select id from bills", {})) == [("a",)]


def rolling_back(tx: Transaction) -> Inner:
    """`or rollback` takes the whole transaction back, not only the statement; and the handler looks the other way."""
    tx.execute("insert into bills values ('a', 1)")
    with pytest.raises(Refused):
        tx.execute("insert or rollback into bills values ('a', 2)")
    with pytest.raises(Refused):
        tx.execute("insert into bills values ('outside of any transaction', 3)")
    return Inner([event(8)])


async def test_a_handler_that_takes_the_transaction_back_takes_back_only_itself(tmp_path: Path) -> None:
    async with fresh(tmp_path / "x.db") as engine:
        await bills(engine)
        units = [Unit(events=[event(5)]), inside(rolling_back), Unit(events=[event(6)])]
        answers = await engine.store.commit(units)
        assert [type(a).__name__ for a in answers] == ["Committed", "Failed", "Committed"]
        assert await all_data(engine) == [b"5", b"6"]
        assert not await engine.store.query("select * from bills", {})
        script = asyncio.ensure_future(
            engine.store.script("bad", "insert or rollback into bills values ('a', 1), ('a', 2)")
        )
        good = asyncio.ensure_future(tell(engine, event(7)))
        with pytest.raises(Refused):
            await script
        await good
        assert await all_data(engine) == [b"5", b"6", b"7"]


async def test_a_script_may_change_its_own_tables(tmp_path: Path) -> None:
    async with fresh(tmp_path / "x.db") as engine:
        await bills(engine)
        assert list(await engine.store.script("more", "alter table bills add column more text")) == []
        assert list(await engine.store.query("select more from bills", {})) == []


async def test_a_query_never_writes_and_never_outlasts_its_deadline(tmp_path: Path) -> None:
    async with fresh(tmp_path / "x.db", query_within=0.1) as engine:
        await bills(engine)
        for sql in (
            "delete from bills",
            "pragma user_version = 3",
            "attach ':memory:' as x",
            "begin",
            "create table y (id)",
        ):
            with pytest.raises(Refused):
                await engine.store.query(sql, {})
        with pytest.raises(Refused):
            await engine.store.query("select :missing", {})
        with pytest.raises(Refused):
            await engine.store.query("select from where", {})
        with pytest.raises(Exception, match=r"longer than 0\.1 s"):
            await engine.store.query(ENDLESS, {})
        assert list(await engine.store.query("select count(*) from bills", {})) == [(0,)]


# ---- scripts -------------------------------------------------------------------------------------------------------


async def test_a_script_runs_once_and_a_changed_one_is_refused(tmp_path: Path) -> None:
    async with fresh(tmp_path / "x.db") as engine, opened(tmp_path / "x.db") as other:
        sql = "create table a (id text); create table b (id text); create index c on a (id)"
        assert list(await engine.store.script("one", sql)) == ["a", "b"]
        assert list(await other.store.script("one", sql)) == ["a", "b"]
        with pytest.raises(Refused) as caught:
            await other.store.script("one", sql + ";")
        assert caught.value.hint
        for bad in (
            "create table d (id text); commit",
            "drop table tidings_log",
            "create table e (",
            "create table a (id)",
        ):
            with pytest.raises(Refused):
                await engine.store.script("two", bad)
        assert list(await engine.store.script("two", "create table d (id text)")) == ["d"], (
            "nothing stayed of the bad ones"
        )


async def test_rows_and_sql_see_each_other_in_one_commit(tmp_path: Path) -> None:
    seen: list[object] = []

    def run(tx: Transaction) -> Inner:
        seen.extend(tx.execute("select n from shelves where id = 'a'"))
        return Inner()

    async with fresh(tmp_path / "x.db") as engine:
        await engine.store.tables([Table("shelves", [("id", "text"), ("n", "integer")])])
        row = Address("shelves", "a")
        await kept(engine, Unit(writes=[Write(row, ["a", 7])], inside=[Inside(1, run)]))
        assert seen == [(7,)]
