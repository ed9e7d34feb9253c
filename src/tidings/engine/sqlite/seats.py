"""The wish about a member's partitions: every member computes the same spread from the same roster.

A wish is handed out at once, also where another member still drains: waiting would make nothing safer, the epoch of
the claim does that. The roster is who beat within the lease and, where the system tells, still holds its lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from tidings.clock import MICRO
from tidings.engine.port import Change, Seated
from tidings.engine.seats import spread
from tidings.engine.sqlite.core import Core
from tidings.engine.sqlite.sql import SQL
from tidings.engine.sqlite.turn import Turn
from tidings.engine.unit import Partition
from tidings.errors import Closed, Unavailable

OLD = 3600 * MICRO  # a member that is dead that long is not shown any more


class Seat:
    def __init__(self, core: Core, group: str, partitions: Sequence[Partition], member: str) -> None:
        self._core, self._group, self._member = core, group, member
        self._partitions = frozenset(partitions)
        self._beaten = 0.0
        self._roster: tuple[str, ...] = ()
        self._wish: frozenset[Partition] = frozenset()

    async def take(self) -> None:
        self._core.members.enter(self._group, self._member)
        await self._beat()
        await self._sweep()
        self._core.members.announce(self._group, self._member)
        self._core.roster.call()

    async def leave(self) -> None:
        group, member = self._group, self._member
        await self._core.do(partial(_gone, group, member))
        self._core.members.leave(group, member)
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
            await core.roster.wait(ticket, core.beat - (core.clock.monotonic() - self._beaten))

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

    # ---- who should have what ----

    async def _sweep(self) -> None:
        """Members that died long ago."""
        before = self._core.clock.now() - OLD
        for (name,) in self._core.reads.all(SQL["members_old"], (self._group, before)):
            await self._core.do(partial(_gone, self._group, name))
            self._core.members.sweep(self._group, name)

    def _compare(self) -> Change:
        living = self._living()
        if living == self._roster:
            return Change()
        self._roster = living
        before, self._wish = self._wish, spread(self._partitions, living).get(self._member, frozenset())
        return Change(gain=self._wish - before, drain=before - self._wish)

    def _living(self) -> tuple[str, ...]:
        """A member is always on its own roster: that it is too slow is for the others to judge."""
        found = roster(self._core, self._group)
        return tuple(sorted({self._member} | {seated.member for seated in found if seated.alive}))


def _gone(group: str, member: str, turn: Turn) -> None:
    turn.c.execute(SQL["member_gone"], (group, member))


def roster(core: Core, group: str | None = None) -> list[Seated]:
    """Members as their peers see them, the dead ones too."""
    since = core.clock.now() - int(core.lease * MICRO)
    return [
        Seated(grp, name, beat > since and not core.members.dead(grp, name), beat)
        for grp, name, beat in core.reads.all(SQL["members"], (group,))
    ]
