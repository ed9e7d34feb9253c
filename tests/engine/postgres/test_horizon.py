"""What commits late is neither lost nor turned round (H01, H01b), and who holds the horizon is named."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from tests.engine.postgres.kit import engines, foreign
from tidings.engine.postgres import Postgres, horizon
from tidings.engine.unit import Address, Committed, Unit, Write
from tidings.testing.conformance import bench

pytestmark = [pytest.mark.server, pytest.mark.anyio]
WRITERS, EACH = 8, 30


class Spoilt(Exception):
    """A writer changes its mind."""


async def write(url: str, engine: Postgres, writer: int, counter: Address) -> list[int]:
    """Some by the engine; some by hands that hold their transaction open, or take it back: 15 % of all."""
    dice, told = random.Random(writer), []
    async with foreign(url, autocommit=False) as c:
        for n in range(EACH):
            number = 1 + writer * EACH + n
            if dice.random() < 0.5:
                answer = await bench.commit(engine, Unit(events=[bench.event(number, writer % 4)]))
                assert isinstance(answer, Committed)
                told.append(number)
                continue
            await c.execute("select pg_current_xact_id()")
            await c.execute(
                "insert into tidings_log select nextval('tidings_position'), tp, null, 0, 'head', %s, 0 "
                "from tidings_part where topic = 't' and number = %s",
                [b"%d" % number, writer % 4],
            )
            for _ in range(dice.randrange(6)):
                await engine.store.progress()  # hold it open for some trips
            if dice.random() < 0.3:
                await c.rollback()
            else:
                await c.commit()
                told.append(number)
    return told


async def probe(monkeypatch: pytest.MonkeyPatch) -> tuple[list[int], list[int], list[int]]:
    """What was told, what was heard, and the offsets in the order of hearing."""
    monkeypatch.setattr("tidings.engine.postgres.scan.seal", lambda *_: 0)  # foreign hands make no seals
    monkeypatch.setattr("tidings.engine.postgres.packing.seal", lambda *_: 0)
    async with engines(2) as (url, (writing, reading)):
        seat = await bench.sit(reading)
        heard: list[int] = []
        offsets: list[int] = []

        async def read() -> None:
            while 999_999 not in heard:
                for batch in await seat.reader.fetch(50):
                    heard.extend(int(record.data or b"") for record in batch.records)
                    offsets.extend(record.offset for record in batch.records)

        reader = asyncio.create_task(read())
        counter = Address("shelves", "a")
        told = await asyncio.gather(*(write(url, writing, n, counter) for n in range(WRITERS)))
        await bench.tell(writing, bench.event(999_999, 3))
        await bench.soon(reader)
        return sorted(n for mine in told for n in mine), sorted(set(heard) - {999_999}), offsets


@pytest.mark.slow
async def test_h01_eight_writers_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    told, heard, _ = await probe(monkeypatch)
    assert heard == told


@pytest.mark.slow
async def test_h01_a_reader_that_trusts_positions_loses_some(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wrong horizon, planted: everything that was drawn counts as settled."""

    async def trusting(self: horizon.Horizon, connection: Any) -> Any:
        return await connection.execute(
            "select set_config('tidings.settled', tidings_head(false)::text, false)::bigint, 0::bigint, 0::bigint"
        )

    monkeypatch.setattr(horizon.Horizon, "ask", trusting)
    for _ in range(5):
        told, heard, _ = await probe(monkeypatch)
        if heard != told:
            return
    pytest.fail("the probe is blind: nothing was lost without the horizon")


async def test_h01b_versions_of_a_row_rise_with_offsets() -> None:
    """Writers of one row, each telling an event beside it: whoever writes later is heard later."""
    async with engines(2) as (_, (one, two)):
        seat = await bench.sit(one)
        row = bench.ROW

        async def write(engine: Postgres, writer: int) -> None:
            for n in range(10):
                number = writer * 100 + n
                unit = Unit(events=[bench.event(number)], writes=[Write(row, ["a", number])])
                assert isinstance(await bench.commit(engine, unit), Committed)

        await asyncio.gather(*(write(e, n) for n, e in enumerate([one, two, one, two])))
        got = [record for _, record in await bench.hear(seat.reader, 40)]
        assert [r.offset for r in got] == sorted(r.offset for r in got)
        last = (await one.store.rows([row]))[0]
        assert last and b"%d" % int(str(last[1][1])) == got[-1].data


async def test_a_writer_that_holds_its_transaction_open_holds_readers_and_is_named() -> None:
    async with engines() as (url, (engine,)):
        seat = await bench.sit(engine)
        async with foreign(url, autocommit=False) as c:
            await c.execute("create table held_open (n int)")
            await bench.kept(engine, Unit(events=[bench.event(1)]))
            fetching = asyncio.create_task(seat.reader.fetch(9))
            for _ in range(30):
                await engine.store.progress()
            assert not fetching.done()
            holder = (await engine.facts())["holder"]
            assert holder and f"process {c.info.backend_pid} " in holder
            assert not await engine.log.read({bench.P0: 0}, 9), "a look neither waits nor passes it"
            await c.rollback()
        assert bench.data(await bench.soon(fetching)) == [b"1"]


async def test_a_transaction_that_only_reads_holds_nobody() -> None:
    async with engines() as (url, (engine,)):
        seat = await bench.sit(engine)
        async with foreign(url, autocommit=False) as c:
            await c.execute("select 1")
            await bench.kept(engine, Unit(events=[bench.event(1)]))
            assert bench.data(await bench.soon(seat.reader.fetch(9))) == [b"1"]
