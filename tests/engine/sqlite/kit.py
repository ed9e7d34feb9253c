"""What the tests of the SQLite engine share: an engine on a fresh file, and real processes that are spoken to by lines.

A child (`worker.py`) says a line when it has come somewhere, and waits for a line before it goes on. Nothing sleeps.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tidings.engine.port import Topic
from tidings.engine.sqlite import Sqlite
from tidings.engine.unit import Answer, Committed, Event, Partition, Unit

ROOT = Path(__file__).parents[3]
LONG = 60.0  # seconds until a child that hangs is given up
P0, P1 = Partition("t", 0), Partition("t", 1)


@asynccontextmanager
async def opened(path: Path, **options: Any) -> AsyncIterator[Sqlite]:
    engine = await Sqlite.open(str(path), **options)
    try:
        yield engine
    finally:
        await engine.close()


@asynccontextmanager
async def fresh(
    path: Path, partitions: int = 4, topic: dict[str, Any] | None = None, **options: Any
) -> AsyncIterator[Sqlite]:
    """With topic `t`."""
    async with opened(path, **options) as engine:
        await engine.log.declare([Topic("t", partitions, **(topic or {}))])
        yield engine


def event(n: int, part: int = 0, key: bytes | None = b"k", topic: str = "t", size: int = 0) -> Event:
    return Event(topic, part, key, n.to_bytes(16, "big"), b"head", b"%d" % n + b"." * size)


async def commit(engine: Sqlite, unit: Unit) -> Answer:
    return (await engine.store.commit([unit]))[0]


async def kept(engine: Sqlite, unit: Unit) -> Committed:
    answer = await commit(engine, unit)
    assert isinstance(answer, Committed), answer
    return answer


async def tell(engine: Sqlite, *events: Event) -> Committed:
    return await kept(engine, Unit(events=events, receipt=True))


async def all_data(engine: Sqlite, *parts: Partition) -> list[bytes]:
    """Every record's data, in the order of the log."""
    start = {e.partition: e.first for e in await engine.log.extents(["t"]) if not parts or e.partition in parts}
    found: list[tuple[int, bytes]] = []
    while batches := await engine.log.read(start, 5000):
        found += [(r.offset, r.data or b"") for b in batches for r in b.records]
        start |= {part: max(b.next for b in batches) for part in start}
    return [data for _, data in sorted(found)]


class Child:
    """A process that runs one function of `worker.py`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.pid = process.pid

    @classmethod
    async def start(cls, name: str, *arguments: object, crash: str = "") -> Child:
        environment = (
            os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"} | ({"TIDINGS_CRASH": crash} if crash else {})
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.engine.sqlite.worker", name, *map(str, arguments),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment, cwd=ROOT,
        )  # fmt: skip
        return cls(process)

    async def said(self) -> str:
        """The next line; "" at the end."""
        assert self.process.stdout is not None
        return (await asyncio.wait_for(self.process.stdout.readline(), LONG)).decode().strip()

    def go(self, word: str = "go") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n".encode())

    async def stopped(self) -> None:
        """Until the process has been stopped by a signal (it does that to itself)."""
        stat = Path(f"/proc/{self.pid}/stat")
        while stat.read_text().rpartition(")")[2].split()[0] != "T":
            await asyncio.sleep(0)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self) -> int:
        return await asyncio.wait_for(self.process.wait(), LONG)

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
            self.process.send_signal(signal.SIGCONT)
        await self.process.wait()


@asynccontextmanager
async def child(name: str, *arguments: object, crash: str = "") -> AsyncIterator[Child]:
    process = await Child.start(name, *arguments, crash=crash)
    try:
        yield process
    finally:
        await process.kill()
