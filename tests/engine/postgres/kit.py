"""What the tests of this engine share: an engine in a schema of its own, and foreign hands on the same server."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg

from tests.postgres import a_schema
from tidings.engine.postgres import Postgres

NUMBERS = itertools.count()
Foreign = psycopg.AsyncConnection[Any]


@asynccontextmanager
async def engines(count: int = 1, **options: Any) -> AsyncIterator[tuple[str, list[Postgres]]]:
    """The schema's URL, and handles as so many processes have."""
    async with a_schema() as schema:
        url = f"{schema}&application_name=tidings-{next(NUMBERS)}-{os.getpid()}"
        opened = [await Postgres.open(url, **options) for _ in range(count)]
        try:
            yield url, opened
        finally:
            for engine in opened:
                await engine.close()


@asynccontextmanager
async def foreign(url: str, *, autocommit: bool = True) -> AsyncIterator[Foreign]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=autocommit) as connection:
        yield connection


async def cut(url: str, *, but: int = 0) -> int:
    """End every other connection to this schema, as an operator does or a failover; how many."""
    async with foreign(url) as c:
        cursor = await c.execute(
            "select count(pg_terminate_backend(pid, 10000)) from pg_stat_activity "
            "where application_name = current_setting('application_name') and pid <> pg_backend_pid() and pid <> %s",
            [but],
        )
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])
