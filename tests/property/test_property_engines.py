"""Whatever is done to them, in whatever order: the SQLite engine answers and reads as the memory engine does."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings

from tests.property.commands import Command, opening, scripts
from tests.property.side import Side
from tidings.engine import open_engine
from tidings.engine.ages import Ages
from tidings.testing.clock import SteeredClock

AGES = Ages(handled=1e9)  # an engine may join lines of the ledger, and a longer line gets older


async def compare(script: Sequence[Command]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        clocks = SteeredClock(), SteeredClock()
        memory = await open_engine("memory:", clock=clocks[0], ages=AGES)
        sqlite = await open_engine(f"sqlite:///{folder}/x.db", clock=clocks[1], ages=AGES, synchronous="off")
        oracle, other = Side(memory, clocks[0]), Side(sqlite, clocks[1])
        try:
            for side in (oracle, other):
                await side.prepare()
            for command in script:
                expected, answered = await oracle.do(command), await other.do(command)
                assert answered == expected, command
                right, read = await oracle.everything(), await other.everything()
                for what in right:
                    assert read[what] == right[what], (what, command)
        finally:
            await sqlite.close()
            await memory.close()


@pytest.mark.slow
@pytest.mark.timeout(600)  # a failure is made as short as it can be, and that takes its time
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(scripts())
def test_sqlite_answers_and_reads_as_memory_does(script: list[Command]) -> None:
    asyncio.run(compare([*opening(), *script]))
