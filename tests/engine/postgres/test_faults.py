"""Connections that are cut, a server that is killed, members that die, handlers that take too long."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest

from tests.engine.postgres.kit import cut, engines, foreign
from tests.postgres import Throwaway, a_schema
from tidings import signals
from tidings.engine import open_engine
from tidings.engine.port import Table
from tidings.engine.postgres import Postgres, migrate
from tidings.engine.unit import (
    Address,
    Committed,
    Failed,
    Inner,
    Inside,
    Once,
    Transaction,
    Unit,
    Unknown,
    Value,
    Write,
)
from tidings.errors import Closed, Refused, SettingsError, Unavailable
from tidings.testing.conformance import bench

pytestmark = [pytest.mark.server, pytest.mark.anyio]


async def test_h23_idle_connections_that_were_cut_cost_no_answer() -> None:
    async with engines() as (url, (engine,)):
        await bench.prepare(engine)
        await bench.kept(engine, Unit(events=[bench.event(1)]))
        assert await cut(url) >= 2
        await bench.kept(engine, Unit(events=[bench.event(2)]))
        assert bench.data(await engine.log.read({bench.P0: 0}, 9)) == [b"1", b"2"]


async def test_h35_a_commit_whose_connection_is_cut_is_unknown_and_its_mark_tells() -> None:
    """A foreign hand holds the row, so the commit waits; then its connection is ended."""
    async with engines() as (url, (engine,)):
        seat = await bench.sit(engine)
        unit = Unit("g", [seat.step(bench.P0, 1)], events=[bench.event(1)], once=[Once("call", b"x")])
        async with foreign(url, autocommit=False) as c:
            await c.execute("select 1 from tidings_progress for update")
            committing = asyncio.create_task(bench.commit(engine, unit))
            while not await _waits(url):
                pass
            await cut(url, but=c.info.backend_pid)
            answer = await bench.soon(committing)
        assert isinstance(answer, Unknown), answer
        assert await engine.store.memo("call", b"x") is None
        assert isinstance(await bench.commit(engine, unit), Committed)
        await bench.only(engine, seat.reader, 1)


async def _waits(url: str) -> bool:
    async with foreign(url) as c:
        cursor = await c.execute(
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%tidings_commit%' "
            "and pid <> pg_backend_pid()"
        )
        row = await cursor.fetchone()
        return bool(row and row[0])


async def test_wakes_come_again_after_the_listener_was_cut() -> None:
    async with engines(2) as (url, (one, two)):
        seat = await bench.sit(one)
        again = asyncio.Event()
        connect = one._core.waking._connect

        async def noticed() -> None:
            await connect()
            again.set()

        one._core.waking._connect = noticed  # type: ignore[method-assign]
        await cut(url)
        await bench.soon(again.wait())
        fetching = asyncio.create_task(seat.reader.fetch(9))
        await bench.kept(two, Unit(events=[bench.event(1)]))
        assert bench.data(await bench.soon(fetching)) == [b"1"]


async def test_a_member_whose_process_dies_is_dead_at_once() -> None:
    """Its session ends, and with it the lock: no lease is waited for."""
    async with engines(2, lease=3600.0, beat=1.0) as (_, (one, two)):
        await bench.sit(one, member="a")
        await two.log.join("g", ["t"], "b")
        assert [m.alive for m in await one.log.members("g")] == [True, True]
        for task in two._core.waking._tasks:
            task.cancel()
        listener = two._core.waking._listener
        assert listener is not None
        await listener.close()  # what the kernel does for a process that dies
        while any(m.alive for m in await one.log.members("g") if m.member == "b"):
            pass
        assert [m.alive for m in await one.log.members("g")] == [True, False]


@pytest.mark.slow
async def test_n17_a_server_that_is_killed_keeps_what_it_answered() -> None:
    with Throwaway() as server:
        engine = await Postgres.open(server.url)
        try:
            await bench.prepare(engine)
            acknowledged: list[int] = []
            for round_ in range(3):
                sending = [asyncio.create_task(_send(engine, round_ * 1000 + n * 100, acknowledged)) for n in range(4)]
                while len(acknowledged) < (round_ + 1) * 20:
                    await engine.store.progress()
                server.kill()
                await asyncio.gather(*sending)
                with pytest.raises(Unavailable):
                    await engine.store.progress()
                server.start()
            found = [int(d or b"") for d in bench.data(await engine.log.read({bench.P0: 0}, 10_000))]
            assert set(acknowledged) <= set(found), "what was answered is there"
            assert len(found) == len(set(found))
            assert not (await engine.facts(thorough=True))["damage"]
        finally:
            await engine.close()


async def _send(engine: Postgres, first: int, acknowledged: list[int]) -> None:
    """Until the server is gone."""
    for n in range(first, first + 100_000):
        try:
            answer = await bench.commit(engine, Unit(events=[bench.event(n)]))
        except Unavailable:
            return
        if not isinstance(answer, Committed):
            return
        acknowledged.append(n)


async def test_a_handler_past_its_deadline_fails_and_leaves_nothing() -> None:
    async with engines() as (_, (engine,)):
        seat = await bench.sit(engine)
        await engine.store.script("bills", "create table bills (id text primary key)")
        ever, late = threading.Event(), list[BaseException]()

        def slow(tx: Transaction) -> Inner:
            tx.execute("insert into bills values ('a')")
            ever.wait()
            try:
                tx.execute("select 1")
            except Refused as error:
                late.append(error)
            return Inner()

        def long(tx: Transaction) -> Inner:
            tx.execute("select pg_sleep(60)")
            return Inner()

        for run in (slow, long):
            unit = Unit("g", [seat.step(bench.P0, 1)], events=[bench.event(1)], inside=[Inside(7, run, deadline=0.2)])
            answer = await bench.soon(bench.commit(engine, unit))
            assert isinstance(answer, Failed) and answer.cause == 7 and "deadline" in answer.error
        ever.set()
        assert not await engine.store.query("select 1 from bills", {})
        assert (await seat.now(engine)).next == 0


async def test_a_handler_may_not_end_the_transaction_nor_write_our_tables() -> None:
    async with engines() as (_, (engine,)):
        seat = await bench.sit(engine)
        for words in (
            "  /* so */ COMMIT", "rollback", "select 1; commit", "delete from tidings_log", "set session role x",
            "with gone as (delete from tidings_held returning 1) select * from gone",
        ):  # fmt: skip

            def bad(tx: Transaction, words: str = words) -> Inner:
                tx.execute(words)
                return Inner()

            answer = await bench.commit(engine, Unit("g", [seat.step(bench.P0, 1)], inside=[Inside(9, bad)]))
            assert isinstance(answer, Failed) and answer.cause == 9, words


async def test_a_query_only_reads_and_is_ended_in_time() -> None:
    async with engines(query_within=0.2) as (_, (engine,)):
        await bench.prepare(engine)
        assert list(await engine.store.query("select :a::int + 1, ':b', '%'", {"a": 1})) == [(2, ":b", "%")]
        for words in ("delete from shelves", "with x as (delete from shelves returning 1) select * from x", "commit"):
            await bench.raised(Refused, engine.store.query(words, {}))
        await bench.raised(Refused, engine.store.query("select :a", {}))
        assert (await bench.raised(Unavailable, engine.store.query("select pg_sleep(60)", {}))).hint


async def test_a_later_layout_is_refused_and_a_look_makes_nothing() -> None:
    async with engines() as (url, (engine,)):
        async with foreign(url) as c:
            await c.execute("update tidings_meta set value = '99' where name = 'schema'")
        assert "99" in (await bench.raised(Refused, Postgres.open(url))).message
        async with foreign(url) as c:
            await c.execute("update tidings_meta set value = %s where name = 'schema'", [str(migrate.LATEST)])
        await bench.prepare(engine)
        looking = await open_engine(url, create=False)
        assert [topic.name for topic in await looking.log.topics()] == ["t"]
        await looking.close()
        await bench.raised(Closed, looking.store.progress())


async def test_two_processes_that_open_an_empty_schema_make_it_once() -> None:
    async with a_schema() as url:
        opened = await asyncio.gather(*(Postgres.open(url) for _ in range(4)))
        assert len({engine._core.identity for engine in opened}) == 1
        for engine in opened:
            await engine.close()


async def test_a_schema_that_is_missing_is_made_but_not_by_a_look() -> None:
    async with a_schema() as url:
        async with foreign(url) as c:
            row = await (await c.execute("select current_schema()")).fetchone()
            assert row is not None
            await c.execute(f'drop schema "{row[0]}"'.encode())
        await bench.raised(Refused, open_engine(url, create=False))
        engine = await open_engine(url)
        await bench.prepare(engine)
        await engine.close()


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    error = await bench.raised(Unavailable, open_engine("postgresql://127.0.0.1:1/none"))
    assert error.hint and isinstance(error.__cause__, psycopg.Error)
    await bench.raised(SettingsError, Postgres.open("postgresql://127.0.0.1:1/none", lease=1.0, beat=2.0))


async def test_a_damaged_record_is_reported_and_never_served() -> None:
    async with engines() as (url, (engine,)):
        await bench.prepare(engine)
        await engine.log.send([bench.event(1), bench.event(2)])
        async with foreign(url) as c:
            await c.execute("update tidings_log set data = 'X' where data = '2'")
        batch = (await engine.log.read({bench.P0: 0}, 9))[0]
        assert bench.data([batch]) == [b"1"]
        assert "checksum" in (await engine.facts(thorough=True))["damage"][0]


async def test_the_log_grows_by_tables_and_loses_whole_ones() -> None:
    async with engines() as (url, (engine,)):
        await bench.prepare(engine, keep=60.0)
        await engine.log.send([bench.event(1), bench.event(2, 1)])
        async with foreign(url) as c:
            await c.execute("select setval('tidings_position', 3 * 1048576)")
            await c.execute("drop table tidings_log_1")
        assert isinstance(await bench.commit(engine, Unit(events=[bench.event(3)])), Committed), "room is made"
        async with foreign(url) as c:
            await c.execute("update tidings_log set time = 0 where pos < 1048576")
        assert await engine._core.all("log_partitions") != []
        gone = await engine.log.sweep(1)
        while step := await engine.log.sweep(1):
            gone += step
        assert gone == 2
        assert 0 not in [n for (n,) in await engine._core.all("log_partitions")]
        assert bench.data(await engine.log.read({bench.P0: await bench.first(engine, bench.P0)}, 9)) == [b"3"]


async def test_the_points_of_the_engine_are_reached() -> None:
    seen: list[str] = []

    async def go(engine: Postgres) -> Any:
        seat = await bench.sit(engine)
        unit = Unit("g", [seat.step(bench.P0, 1)], inside=[Inside(0, lambda _: Inner([bench.event(1)]))])
        await bench.kept(engine, unit)
        await bench.kept(engine, Unit(events=[bench.event(2)]))
        await engine.log.sweep(9)

    async with engines() as (_, (engine,)):
        names = [name for name in signals.POINTS if name.startswith("postgres.")]
        with ExitStack() as stack:
            for name in names:
                stack.enter_context(signals.listening(name, lambda name=name: seen.append(name)))  # type: ignore[misc]
            await go(engine)
    assert set(seen) == set(names)


async def test_numbers_come_back_exactly_and_as_on_sqlite() -> None:
    async with engines() as (_, (engine,)):
        await engine.store.tables([Table("prices", [("id", "text"), ("price", "numeric")])])
        given: list[Value] = ["49.90", "118.00", 12, "0.12345678901234567890", 1 << 70]
        await bench.kept(
            engine, Unit(writes=[Write(Address("prices", str(n)), [str(n), g]) for n, g in enumerate(given)])
        )
        found = [values[1] for _, values in await engine.store.page("prices", "", 9)]
        assert found == [49.9, 118, 12, "0.12345678901234567890", str(1 << 70)]
