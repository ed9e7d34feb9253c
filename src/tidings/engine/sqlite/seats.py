"""The wish about a member's partitions: who lives, who should have what, and when it may be taken.

Every member computes the same spread from the same roster. What is newly wished for is handed out at once where nobody
has it; a partition that another living member still has is waited for until that one has drained and released it, at
most `grace` seconds, so that a planned move repeats no work. Waiting makes nothing safer: the epoch of the claim does.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidings.clock import MICRO
from tidings.engine.port import Change
from tidings.engine.seats import spread
from tidings.engine.sqlite.core import Core
from tidings.engine.sqlite.sql import SQL
from tidings.engine.sqlite.turn import Turn
from tidings.engine.unit import Partition
from tidings.errors import Closed, Unavailable


class Seat:
    def __init__(self, core: Core, group: str, partitions: Sequence[Partition], member: str) -> None:
        self._core, self._group, self._member = core, group, member
        self._partitions = frozenset(partitions)
        self._beaten = 0.0
        self._roster: tuple[str, ...] = ()
        self._target: frozenset[Partition] = frozenset()  # by the spread
        self._has: frozenset[Partition] = frozenset()  # what was handed out
        self._until: dict[Partition, float] = {}  # how long each is waited for

    async def take(self) -> None:
        self._core.members.enter(self._group, self._member)
        await self._beat()
        self._core.members.announce(self._group, self._member)
        self._core.roster.call()

    async def leave(self) -> None:
        group, member = self._group, self._member
        await self._core.do(lambda turn: turn.c.execute(SQL["member_gone"], (group, member)))
        self._core.members.leave(group, member)
        self._core.roster.call()

    def done(self, partitions: Sequence[Partition]) -> None:
        """Drained: who waits for these may look again."""
        self._core.members.announce(self._group, self._member)
        self._core.roster.call()

    async def change(self) -> Change:
        core = self._core
        while True:
            if core.writer.closed:
                raise Closed("the engine is closed")
            ticket = core.roster.ticket()
            await self._keep_beating()
            change = self._compare()
            if change.gain or change.drain:
                return change
            await core.roster.wait(ticket, self._patience())

    # ---- beats ----

    async def _keep_beating(self) -> None:
        """A beat that cannot be written is tried again at the next one: the seat is only a wish."""
        if self._core.clock.monotonic() - self._beaten >= self._core.beat:
            try:
                await self._beat()
            except Unavailable:
                self._beaten = self._core.clock.monotonic()

    async def _beat(self) -> None:
        group, member = self._group, self._member

        def write(turn: Turn) -> None:
            turn.c.execute(SQL["beat"], (group, member, turn.now))

        await self._core.do(write)
        self._beaten = self._core.clock.monotonic()

    def _patience(self) -> float:
        now = self._core.clock.monotonic()
        left = self._core.beat - (now - self._beaten)
        return max(0.001, min([left, *(until - now for until in self._until.values())]))

    # ---- who should have what ----

    def _compare(self) -> Change:
        living = self._living()
        if living != self._roster:
            self._roster = living
            self._target = spread(self._partitions, living).get(self._member, frozenset())
        drain = self._has - self._target
        gain = frozenset(p for p in self._target - self._has if self._free(p, living))
        self._has = (self._has | gain) - drain
        self._until = {p: until for p, until in self._until.items() if p in self._target - self._has}
        return Change(gain=gain, drain=drain)

    def _living(self) -> tuple[str, ...]:
        since = self._core.clock.now() - int(self._core.lease * MICRO)
        rows = self._core.reads.all(SQL["members"], (self._group,))
        dead = self._core.members.dead(self._group, [name for name, _ in rows])
        return tuple(sorted({self._member} | {name for name, beat in rows if beat > since and name not in dead}))

    def _free(self, part: Partition, living: Sequence[str]) -> bool:
        """Whether nobody who lives has it, or he was waited for long enough."""
        tp = self._core.reads.tp(part)
        owner = dict(self._core.reads.all(SQL["owners"], (self._group,))).get(tp, "")
        if owner in ("", self._member) or owner not in living:
            return True
        now = self._core.clock.monotonic()
        return now >= self._until.setdefault(part, now + self._core.grace)
