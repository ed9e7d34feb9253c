"""The settled horizon: below it nothing can appear any more, so a reader that went past it misses nothing (H01).

Positions are drawn before their transactions end, and transactions end in any order. So: note how far positions were
drawn, then draw a transaction number of one's own; when everything older than that has ended, all positions that were
noted are committed or dead. Three rules make this hold: whoever draws a position drew its transaction number first; row
locks come before positions, so that versions of a row rise with offsets; and it is asked of the whole server, because
transaction numbers are. One horizon serves all readers of a process, and costs a transaction number only when something
was written.

A transaction that writes, anywhere on the server, and stays open holds every reader: `facts` names it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from tidings.clock import SystemClock
from tidings.engine.postgres.pool import Connection, Pool
from tidings.engine.postgres.sql import SQL

TRIES = 60  # looks of somebody who only looks and does not wait
QUICK = 8  # looks without a pause: as long as another commit takes
PAUSE = 0.004  # real seconds: transactions of a server live in its time, whatever the engine's clock says


class Horizon:
    def __init__(self, pool: Pool, *, lines: bool = False) -> None:
        self._pool, self._lines = pool, lines
        self.settled = 0
        self._upto = self._since = 0

    @property
    def open(self) -> bool:
        """Whether something was drawn that has not settled."""
        return self._since > 0

    async def ask(self, connection: Connection) -> Any:
        """Send the question, in a pipeline or not; `heard` takes its answer. The session remembers what is settled."""
        values = {"lines": self._lines, "known": self.settled, "upto": self._upto, "since": self._since}
        return await connection.execute(SQL["settle"], values, binary=True, prepare=True)

    async def heard(self, cursor: Any) -> int:
        settled, upto, since = await cursor.fetchone()
        if settled >= self.settled:
            self.settled, self._upto, self._since = settled, upto, since
        return int(settled)

    async def reach(self) -> int:
        """Everything that was answered before this call lies below it, unless somebody holds the horizon for long."""
        async with self._pool.one() as connection:
            target = (
                int((await (await connection.execute(SQL["head"], binary=True)).fetchall())[0][0])
                if not (self._lines)
                else 0
            )
            for n in range(TRIES):
                await self.heard(await self.ask(connection))
                if not self.open or (target and self.settled >= target):
                    break
                await patience(n)
            return self.settled


async def patience(n: int) -> None:
    """Between two looks at transactions that have not ended, the n-th time."""
    if n < QUICK:
        await asyncio.sleep(0)
    else:
        await SystemClock().wait(asyncio.Event(), PAUSE)
