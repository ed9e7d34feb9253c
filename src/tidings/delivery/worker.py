"""What runs in one process: a member for each group, the relay where there is an outbox, and the janitor.

A member that fails is started again, with a growing pause, and only it: one group's failure never touches another. What
went wrong last stays visible in `health`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from random import random

from msgspec import Struct

from tidings.clock import Clock
from tidings.delivery.failure import describe, is_ours
from tidings.delivery.history import History
from tidings.delivery.limits import Limits
from tidings.delivery.member import Member, Probe
from tidings.delivery.relay import relay
from tidings.delivery.subscription import Subscription
from tidings.engine.port import Engine
from tidings.errors import Closed

log = logging.getLogger("tidings.delivery")
SWEEP_EVERY = 30.0  # seconds between two looks at retention and ageing marks
SWEEP_STEP = 1000


class Killed(BaseException):
    """Raised by a probe: the member dies here as its process would, without a word. Another one starts at once."""


class Health(Struct):
    """Of one group here. `running`: its member has a seat. `error`: its last failure; `restarts`: how many."""

    running: bool
    partitions: int
    restarts: int
    error: str


class Worker:
    def __init__(
        self,
        engine: Engine,
        subscriptions: Sequence[Subscription],
        name: str,
        *,
        clock: Clock,
        limits: Limits,
        history: History | None = None,
        probe: Probe | None = None,
    ) -> None:
        self.probe = probe
        self.engine, self.subscriptions, self.name = engine, subscriptions, name
        self.clock, self.limits, self.history = clock, limits, history
        self.members: dict[str, Member] = {}
        self._restarts: dict[str, int] = {}
        self._errors: dict[str, str] = {}
        self._stop = asyncio.Event()
        self._nudge = asyncio.Event()  # ends the pauses after failures
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._chores: list[asyncio.Task[None]] = []
        self._cleaning = False

    def start(self) -> None:
        for subscription in self.subscriptions:
            self._tasks[subscription.group] = asyncio.create_task(self._supervise(subscription))
        self._chores.append(asyncio.create_task(self._clean()))
        if self.engine.outbox is not None:
            self._chores.append(asyncio.create_task(self._relay()))

    async def stop(self, within: float = 10.0) -> Sequence[str]:
        """Drain: no new batches, what is in hand is finished and committed, seats are given back. Names of the groups
        that did not finish in time; their work is done again by the next owner."""
        self._stop.set()
        self._nudge.set()
        for member in self.members.values():
            member.stop()
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=within)
        cut = [group for group, task in self._tasks.items() if not task.done()]
        for task in (*tasks, *self._chores):
            task.cancel()
        await asyncio.gather(*tasks, *self._chores, return_exceptions=True)
        return cut

    def kill(self) -> None:
        """Stop as a killed process would: nothing is finished, nothing given back."""
        for task in (*self._tasks.values(), *self._chores):
            task.cancel()

    def health(self) -> dict[str, Health]:
        found = {}
        for subscription in self.subscriptions:
            group = subscription.group
            task, member = self._tasks.get(group), self.members.get(group)
            found[group] = Health(
                running=task is not None and not task.done() and member is not None and member.reader is not None,
                partitions=member.partitions if member is not None else 0,
                restarts=self._restarts.get(group, 0),
                error=self._errors.get(group, ""),
            )
        return found

    @property
    def idle(self) -> bool:
        """Every member sleeps: nothing is being decided, committed or cleaned up here."""
        everybody = len(self.members) == len(self.subscriptions)
        return everybody and not self._cleaning and all(m.asleep for m in self.members.values())

    def look(self) -> None:
        """Every member compares with the truth now, not at its next beat; what failed is started again now."""
        for member in self.members.values():
            member.look()
        if not self._stop.is_set():
            self._nudge.set()
            self._nudge = asyncio.Event()

    async def _supervise(self, subscription: Subscription) -> None:
        group, pause = subscription.group, 0.05
        while not self._stop.is_set():
            member = Member(
                self.engine,
                subscription,
                self.name,
                clock=self.clock,
                limits=self.limits,
                history=self.history,
                probe=self.probe,
            )
            self.members[group] = member
            try:
                await member.run()
            except Closed:
                return
            except Killed:
                self._restarts[group] = self._restarts.get(group, 0) + 1
                continue
            except BaseException as error:
                if is_ours(error):
                    raise
                self._errors[group] = describe(error)
                self._restarts[group] = self._restarts.get(group, 0) + 1
                log.exception("group %s failed here and is started again in %.2f s", group, pause)
            else:
                return
            await self.clock.wait(self._nudge, pause * (1 + random()))
            pause = min(5.0, pause * 2)

    async def _clean(self) -> None:
        """Retention and ageing, in small steps, so that nobody waits long for one."""
        while not await self.clock.wait(self._stop, SWEEP_EVERY * (0.5 + random())):
            self._cleaning = True
            try:
                while await self.engine.log.sweep(SWEEP_STEP) or await self.engine.store.purge(SWEEP_STEP):
                    log.debug("retention took a step")
            except Closed:
                return
            except Exception:
                log.exception("cleaning up failed and is tried again")
            finally:
                self._cleaning = False

    async def _relay(self) -> None:
        outbox = self.engine.outbox
        assert outbox is not None
        pause = 0.05
        while not self._stop.is_set():
            try:
                epoch = await outbox.lane(0, 1, self.name)
                while await relay(outbox, self.engine.log, 0, epoch):
                    pause = 0.05
            except Closed:
                return
            except Exception:
                log.exception("the relay failed and is started again in %.2f s", pause)
            await self.clock.wait(self._nudge, pause)
            pause = min(5.0, pause * 2)
