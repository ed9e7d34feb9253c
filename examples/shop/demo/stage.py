"""What is seen while it happens: sentences as they come, and three bars that move."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from shop.entry import Entered
from shop.outside.ledger import Ledger
from tidings import Client
from tidings.clock import SystemClock

GLANCE = 0.1  # seconds between two looks


class Count(msgspec.Struct):
    count: int


class Stage:
    def __init__(self, console: Console, lines: int) -> None:
        self.console = console
        self.clock = SystemClock()
        self.began = self.clock.monotonic()
        self.placed = 0
        self.progress = Progress(
            TextColumn("[bold]{task.description:>13}"),
            BarColumn(bar_width=60),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
            console=console,
        )
        self._taken = self.progress.add_task("lines taken", total=lines)
        self._ended = self.progress.add_task("orders ended", total=lines)
        self._mailed = self.progress.add_task("mails sent", total=2 * lines)

    def say(self, text: str, style: str = "") -> None:
        """One sentence of the story, with the seconds since it began."""
        after = self.clock.monotonic() - self.began
        self.console.print(f"[dim]{after:5.1f} s[/]  [{style or 'none'}]{text}[/]", highlight=False)

    def entered(self, one: Entered) -> None:
        self.progress.advance(self._taken)
        self.placed += one.what == "placed"
        if one.what != "placed":
            self.say(one.text, "dim")

    @asynccontextmanager
    async def raised(self, client: Client, outside: Path) -> AsyncGenerator[None]:
        """The curtain is up: the bars follow what the tables and the mail server say."""
        ledger = Ledger(outside / "mails.jsonl")
        with self.progress:
            watching = asyncio.create_task(self._watch(client, ledger))
            try:
                yield
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
                self.progress.update(self._ended, total=self.placed)
                self.progress.update(self._mailed, total=2 * self.placed)
                await self._look(client, ledger)
                ledger.close()

    async def _watch(self, client: Client, ledger: Ledger) -> None:
        while True:
            await self._look(client, ledger)
            await asyncio.sleep(GLANCE)

    async def _look(self, client: Client, ledger: Ledger) -> None:
        found = await client.query(Count, "select count(*) from order_overview where ended_at is not null")
        self.progress.update(self._ended, completed=found[0].count)
        self.progress.update(self._mailed, completed=len(ledger.lines()))
