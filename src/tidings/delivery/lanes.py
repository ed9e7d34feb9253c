"""Awaited handlers of one turn: in order per key, at the same time across keys, none waited for longer than a second.

Each key has a lane, and a lane is one task that runs its arrivals one after another. When the time is up, the arrival
that a lane is busy with goes on alone (its event is held as running), and the rest of the lane is left to the caller.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from tidings.clock import Clock
from tidings.delivery.subscription import Arrival


class Lane:
    def __init__(self, arrivals: list[Arrival]) -> None:
        self.waiting = arrivals[::-1]
        self.busy: Arrival | None = None
        self.task: asyncio.Task[None] | None = None

    async def go(self, one: Callable[[Arrival], Awaitable[None]], gate: asyncio.Semaphore) -> None:
        while self.waiting:
            async with gate:
                if not self.waiting:  # the time was up while this lane stood at the gate
                    return
                self.busy = self.waiting.pop()
                await one(self.busy)
                self.busy = None


async def run_lanes(
    arrivals: Sequence[Arrival],
    one: Callable[[Arrival], Awaitable[None]],
    gate: asyncio.Semaphore,
    clock: Clock,
    slow: float,
) -> tuple[list[tuple[Arrival, asyncio.Task[None]]], list[Arrival]]:
    """Run them; gives back those that still run, with their tasks, and those that were not begun."""
    lanes = _lanes_of(arrivals)
    if not lanes:
        return [], []
    finished = asyncio.Event()
    left = len(lanes)

    def done(_: asyncio.Task[None]) -> None:
        nonlocal left
        left -= 1
        if not left:
            finished.set()

    for lane in lanes:
        lane.task = asyncio.create_task(lane.go(one, gate))
        lane.task.add_done_callback(done)
    try:
        await clock.wait(finished, slow if slow < float("inf") else None)
    except asyncio.CancelledError:
        for lane in lanes:
            if lane.task is not None:
                lane.task.cancel()
        raise
    running, rest = [], []
    for lane in lanes:
        if lane.task is not None and lane.task.done():
            lane.task.result()  # `one` keeps handlers' errors; what comes here is a fault of tidings
            continue
        if lane.busy is not None and lane.task is not None:
            running.append((lane.busy, lane.task))
        rest += lane.waiting[::-1]
        lane.waiting.clear()
    return running, rest


def _lanes_of(arrivals: Sequence[Arrival]) -> list[Lane]:
    """One for each key; an arrival without a key has its own."""
    lanes: dict[object, list[Arrival]] = {}
    for arrival in arrivals:
        lanes.setdefault(arrival.key if arrival.key is not None else arrival.number, []).append(arrival)
    return [Lane(mine) for mine in lanes.values()]
