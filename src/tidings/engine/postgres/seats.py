"""The wish about a member's partitions: every member computes the same spread from the same roster.

A member is a row with the time of its last beat, and an advisory lock that its process's session holds. The server
drops the lock when the process dies: then the member is dead at once, and its peers see it at their next look, a beat
away at most. One that is frozen keeps its lock; it is dead when its beat is older than the lease. Neither is what makes
it safe to take over: that is the epoch of the claim, these only save time.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidings.clock import MICRO
from tidings.engine.port import Change, Seated
from tidings.engine.postgres.clock import DatabaseClock
from tidings.engine.postgres.core import Core
from tidings.engine.postgres.pool import closed
from tidings.engine.postgres.waking import ROSTER
from tidings.engine.seats import spread
from tidings.engine.unit import Partition
from tidings.errors import Unavailable

OLD = 3600 * MICRO  # a member that is dead that long is not shown any more


class Seat:
    def __init__(self, core: Core, group: str, partitions: Sequence[Partition], member: str) -> None:
        self._core, self._group, self._member = core, group, member
        self._partitions = frozenset(partitions)
        self._beaten = 0.0
        self._lock = 0
        self._roster: tuple[str, ...] = ()
        self._wish: frozenset[Partition] = frozenset()

    async def take(self) -> None:
        core, place = self._core, {"group": self._group, "member": self._member}
        self._lock = (await core.all("lock_key", **place))[0][0]
        core.seats[self._group, self._member] = self._lock
        await core.waking.lock(self._lock)
        await self._beat()
        await core.all("members_old", group=self._group, before=core.clock.now() - OLD)
        core.waking.told(ROSTER)

    async def leave(self) -> None:
        core = self._core
        await core.all("leave", groups=[self._group], members=[self._member])
        core.seats.pop((self._group, self._member), None)
        await core.waking.unlock(self._lock)
        core.waking.told(ROSTER)

    async def change(self) -> Change:
        core = self._core
        while True:
            if core.closed:
                raise closed()
            ticket = core.roster.ticket()
            await self._keep_beating()
            change = await self._compare()
            if change.gain or change.drain:
                return change
            await core.roster.wait(ticket, core.beat - (core.clock.monotonic() - self._beaten))

    async def _keep_beating(self) -> None:
        """A beat that cannot be written is tried again at the next one: the seat is only a wish."""
        if self._core.clock.monotonic() - self._beaten >= self._core.beat:
            try:
                await self._beat()
            except Unavailable:
                self._beaten = self._core.clock.monotonic()

    async def _beat(self) -> None:
        core = self._core
        if isinstance(core.clock, DatabaseClock):
            core.clock.set((await core.all("clock"))[0][0])
        await core.all("beat", group=self._group, member=self._member, now=core.clock.now(), lock=self._lock)
        self._beaten = core.clock.monotonic()

    async def _compare(self) -> Change:
        """A member is always on its own roster: that it is too slow is for the others to judge."""
        try:
            found = await roster(self._core, self._group)
        except Unavailable:
            return Change()
        living = tuple(sorted({self._member} | {seated.member for seated in found if seated.alive}))
        if living == self._roster:
            return Change()
        self._roster = living
        before, self._wish = self._wish, spread(self._partitions, living).get(self._member, frozenset())
        return Change(gain=self._wish - before, drain=before - self._wish)


async def roster(core: Core, group: str | None = None) -> list[Seated]:
    """Members as their peers see them, the dead ones too."""
    since = core.clock.now() - int(core.lease * MICRO)
    return [
        Seated(name, member, held and beat > since, beat)
        for name, member, beat, held in await core.all("members", group=group)
    ]
