"""The suite over the PostgreSQL spike, on a real server: what the port asks for is what that gear can bring.

Without a server this fails, and says how to get one: a skip would hide the day on which the port drifts away.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.drift.postgres import Postgres, a_schema
from tests.drift.server import Missing, server
from tidings.engine.port import Engine
from tidings.engine.unit import Unit
from tidings.testing.clock import SteeredClock
from tidings.testing.conformance import TESTS, Lack, bench, perform

LACKS = {"retention of its own", "an outbox: log and store are one"}
NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    try:
        with server() as url:
            yield url
    except Missing as missing:
        pytest.fail(str(missing))


@pytest.mark.server
@pytest.mark.anyio
@pytest.mark.parametrize("promise", TESTS)
async def test_postgres_could_keep(promise: str, postgres: str, record_property: Callable[[str, object], None]) -> None:
    record_property("conformance", "postgres (spike)")
    clock, schema, handles = SteeredClock(), f"drift_{os.getpid()}_{next(NUMBERS)}", list[Postgres]()

    async def opener() -> Engine:
        handle = Postgres(postgres, schema, clock)
        await handle.open()
        handles.append(handle)
        return handle

    async with a_schema(postgres, schema):
        try:
            await perform(TESTS[promise], await opener(), opener=opener, clock=clock)
        except Lack as lack:
            if str(lack) not in LACKS:
                pytest.fail(f"the spike does not declare that it lacks {lack}")
            pytest.skip(f"the engine lacks {lack}")
        finally:
            for handle in handles:
                await handle.close()


@pytest.mark.server
@pytest.mark.anyio
async def test_h01_what_commits_late_is_not_skipped(postgres: str) -> None:
    """A foreign transaction has drawn its position and not committed: nothing above it is handed out."""
    clock, schema = SteeredClock(), f"drift_{os.getpid()}_{next(NUMBERS)}"
    async with a_schema(postgres, schema):
        engine = Postgres(postgres, schema, clock)
        await engine.open()
        seat = await bench.sit(engine)
        foreign = await psycopg.AsyncConnection.connect(postgres, options=f"-c search_path={schema}")
        async with foreign:
            await foreign.execute(
                "insert into log select nextval('position'), tp, null, 0, 'head', '1' from part where number = 0"
            )
            await bench.kept(engine, Unit(events=[bench.event(2)]))
            fetching = asyncio.create_task(seat.reader.fetch(500))
            for _ in range(20):  # each a whole round trip, so that the fetch had its chance
                await engine.store.progress()
            assert not fetching.done()
        assert bench.data(await bench.soon(fetching)) == [b"1", b"2"]
        await engine.close()


def test_a_missing_server_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIDINGS_TEST_POSTGRES", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("tests.drift.server.DEBIAN", tmp_path)
    with pytest.raises(Missing, match="make services"), server():
        pass
