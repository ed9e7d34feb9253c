"""What happens, in order. Everything here could be done by hand in a terminal, and is done the same way.

morning   the shop opens; orders come in at an even pace
noon      a mail has been parked: its customer's name breaks a template. Notifications are stopped for a repair.
          For the rush hour a second worker joins payments
rush      the rest of the orders at once; the new worker is killed in the middle of a batch, another takes its place
evening   notifications come back, repaired, catch up from where they had stopped, and what was parked is driven again
close     everything is at rest, workers finish and go
"""

import asyncio
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

from shop.catalogue import Catalogue
from shop.demo.stage import Stage
from shop.demo.workers import Worker, Workers, tidings
from shop.entry import Entered, Entry
from tidings import Client, minutes, ops
from tidings.clock import SystemClock, from_micro
from tidings.engine.port import Engine

GLANCE = 0.05  # seconds between two looks
PACE = 150  # orders a second in the morning
CRASH = "member.decided:{turns}"  # its handlers have run, cards are charged, nothing is committed


@dataclass
class Diary:
    """What only the story knows; all else is read from the files. Times are those of the log."""

    began: datetime
    entered: list[Entered] = field(default_factory=list[Entered])
    rush_began: datetime | None = None
    rush_ended: datetime | None = None
    victim: Worker | None = None
    parked: list[ops.ParkedKey] = field(default_factory=list[ops.ParkedKey])
    behind: int = 0  # events before notifications when they came back
    caught_up: float = 0.0  # seconds that it took
    redriven: int = 0
    largest: int | None = None  # bytes of memory that the largest worker ever had

    def counts(self) -> Counter[str]:
        return Counter(one.what for one in self.entered)

    def remarks(self) -> list[str]:
        return [one.text for one in self.entered if one.text]


class Story:
    def __init__(self, folder: Path, lines: Sequence[str], stage: Stage) -> None:
        self.stage, self.lines = stage, lines
        self.workers = Workers(folder, self._died)
        self.clock = SystemClock()
        self.diary = Diary(self._now())
        self._half = len(lines) // 2
        self._killed = asyncio.Event()
        self._wrong: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def tell(self, client: Client, engine: Engine) -> Diary:
        """The whole day. Raises RuntimeError where a worker ends that nobody ended."""
        self.entry = Entry(client, Catalogue.read())
        self.client, self.engine = client, engine
        day = asyncio.create_task(self._day())
        try:
            await asyncio.wait([day, self._wrong], return_when=asyncio.FIRST_COMPLETED)
            if self._wrong.done():
                self._wrong.result()
            await day
        finally:
            day.cancel()
            await asyncio.gather(day, return_exceptions=True)
            await self.workers.kill_all()
        return self.diary

    async def _day(self) -> None:
        await self.morning()
        await self.noon()
        await self.rush()
        await self.evening()
        await self.close()

    # ---- the day ----

    async def morning(self) -> None:
        self.stage.say("the shop opens: five workers, each a process, on one SQLite file")
        start = self.workers.start
        await asyncio.gather(
            start("orders", "ordering", "checkout"),
            start("payments-1", "payments"),
            start("goods", "inventory", "shipping"),
            start("mails", "notifications", SHOP_LETTERS="1"),
            start("figures", "analytics"),
        )
        await self.entry.open_shop()
        self.stage.say(f"30 products are on the shelves; the first {self._half} orders come in, {PACE} a second")
        await self._enter(self.lines[: self._half], 2, PACE)

    async def noon(self) -> None:
        self.diary.parked = await ops.parked(self.engine, "notifications")
        for key in self.diary.parked:
            self.stage.say(
                f"parked: mails about {key.key}, {len(key.events)} events ({key.first.error}); the others flow",
                "yellow",
            )
        await self.workers.stop("mails")
        self.stage.say("notifications are stopped (SIGTERM) for a repair; the shop goes on without them", "yellow")
        turns = max(3, min(12, self._half // 80))
        await self.workers.start("payments-2", "payments", TIDINGS_CRASH=CRASH.format(turns=turns))
        await self._owned("payments", by=2)
        self.stage.say("for the rush hour a second worker joins payments, and takes over half of its partitions")

    async def rush(self) -> None:
        rest = self.lines[self._half :]
        self.stage.say(f"rush hour: {len(rest)} orders, as fast as the shop takes them")
        self.diary.rush_began = self._now()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._replace())
            await self._enter(rest, 2 + self._half, None)
            if not self._killed.is_set():
                self.workers.kill("payments-2")
        await self._settled("checkout", "ordering", "payments", "inventory", "shipping")
        self.diary.rush_ended = self._now()

    async def _replace(self) -> None:
        await self._killed.wait()
        self.stage.say("payments-2 was killed (SIGKILL): it had charged cards and committed nothing yet", "red")
        await self._owned("payments", by=1)
        self.stage.say("payments-1 has taken its partitions over; a new worker takes its place")
        await self.workers.start("payments-3", "payments")

    async def evening(self) -> None:
        self.diary.behind = (await ops.groups(self.engine, "notifications"))[0].lag
        self.stage.say(f"notifications come back, repaired, {self.diary.behind} events behind", "green")
        began = self.clock.monotonic()
        await self.workers.start("mails", "notifications", SHOP_LETTERS="2")
        await self._settled("notifications")
        self.diary.caught_up = self.clock.monotonic() - began
        self.stage.say(f"they caught up from their committed position, {self.diary.caught_up:.1f} s after their start")
        await self._redrive()

    async def _redrive(self) -> None:
        self.diary.redriven = sum(len(key.events) for key in await ops.parked(self.engine, "notifications"))
        process = await asyncio.create_subprocess_exec(
            *tidings("redrive", "notifications", "--all"),
            env=self.workers.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"`tidings redrive` failed: {said.decode().strip()}")
        text = f"`tidings redrive notifications --all`: {self.diary.redriven} parked events run again, in order"
        self.stage.say(text, "green")

    async def close(self) -> None:
        await self.client.wait_idle(minutes(1))
        self.diary.largest = self.workers.largest()
        await self.workers.stop_all()
        self.stage.say("everything is at rest; the workers have finished and gone")

    # ---- how ----

    async def _enter(self, lines: Sequence[str], first: int, pace: int | None) -> None:
        """Take these lines in; `pace`: so many a second, None: as fast as they are taken."""
        numbered = iter(enumerate(lines, first))
        async with asyncio.TaskGroup() as tasks:
            while part := list(islice(numbered, len(lines) if pace is None else max(1, pace // 20))):
                for number, text in part:
                    tasks.create_task(self._take(number, text))
                if pace is not None:
                    await asyncio.sleep(1 / 20)

    async def _take(self, number: int, text: str) -> None:
        entered = await self.entry.take(number, text)
        self.diary.entered.append(entered)
        self.stage.entered(entered)

    async def _owned(self, group: str, by: int) -> None:
        """Until so many living members own all partitions of the group."""
        while True:
            parts = (await ops.groups(self.engine, group))[0].partitions
            if all(part.alive for part in parts) and len({part.owner for part in parts}) >= by:
                return
            await asyncio.sleep(GLANCE)

    async def _settled(self, *names: str) -> None:
        """Until nothing lies before these groups and nothing waits for another try; what is parked, and what stands
        behind it, waits for people."""
        while True:
            found = [one for one in await ops.groups(self.engine) if one.group in names]
            if not any(one.lag for one in found):
                waiting = sum(len(key.events) for key in await ops.parked(self.engine) if key.group in names)
                if sum(one.held for one in found) == waiting:
                    return
            await asyncio.sleep(GLANCE)

    def _died(self, worker: Worker, code: int) -> None:
        if worker.name == "payments-2" and code == -signal.SIGKILL:
            self.diary.victim = worker
            self._killed.set()
        elif not self._wrong.done():
            log = self.workers.folder / f"{worker.name}.log"
            self._wrong.set_exception(RuntimeError(f"{worker.name} ended with {code}: see {log}"))

    def _now(self) -> datetime:
        return from_micro(self.clock.now())
