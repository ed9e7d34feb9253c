"""A member that comes gets its share only when the one before has finished: a planned move repeats no work."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tidings import Event, Key, Service, System, Topic
from tidings.clock import SystemClock
from tidings.delivery.limits import Limits
from tidings.delivery.worker import Worker
from tidings.domain.group import subscriptions
from tidings.settings import load
from tidings.system import open_runtime

pytestmark = pytest.mark.anyio
EVENTS = 40


class Told(Event, topic=Topic("told", partitions=8)):
    name: Key[str]


@pytest.mark.parametrize("store", ["memory:", "sqlite"])
async def test_a_member_that_comes_waits_for_the_one_that_is_at_work(store: str, tmp_path: object) -> None:
    calls, begun, go_on = Counter[str](), asyncio.Event(), asyncio.Event()
    service = Service("listener", guarantee="at-least-once")

    @service.on
    async def hear(event: Told) -> None:
        calls[event.name] += 1
        begun.set()
        await go_on.wait()

    url = store if store == "memory:" else f"sqlite:///{tmp_path}/moves.db"
    program = System("moves", [service]).program
    limits = Limits(slow=30.0, beat=0.05)
    async with open_runtime(program, load({"store": url, "synchronous": "off"}, {})) as runtime:
        mine = subscriptions(runtime, {})
        first, second = (Worker(runtime.engine, mine, name, clock=SystemClock(), limits=limits) for name in "ab")
        first.start()
        now = await runtime.engine.store.now()
        told = [runtime.outside.event(Told(name=f"n{n}"), now) for n in range(EVENTS)]
        await runtime.engine.log.send(told)
        await begun.wait()
        second.start()
        while not any(m.own.awaited for m in second.members.values() if m.reader is not None):
            await runtime.engine.store.changed(0.05)
        assert not second.members["listener"].claims, "it took what the other has in hand"
        go_on.set()
        while sum(calls.values()) < EVENTS or not second.members["listener"].claims:
            await runtime.engine.store.changed(0.05)
        assert set(calls.values()) == {1}
        await second.stop()
        await first.stop()
