"""At-most-once: progress is durable first, then the handler runs, once. What fails is dropped, and counted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import cast

from tidings.delivery.failure import describe, is_ours
from tidings.delivery.intake import Work
from tidings.delivery.lanes import run_lanes
from tidings.delivery.session import Look, Session
from tidings.delivery.subscription import Arrival
from tidings.delivery.turn import Host, Turn

log = logging.getLogger("tidings.delivery")


async def handle_lossy(host: Host, work: Work) -> int:
    """Commit, then run; how many were dropped (counted in the next commit: a crash before it loses the count too)."""
    arrivals, work.arrivals = work.arrivals, []
    work.tally["dropped"] += len(work.held)  # nothing is ever parked here: what cannot be read is dropped as well
    work.held = []
    work.tally["handled"] += len(arrivals)
    turn = Turn(host, work)
    await turn.commit()
    dropped = 0

    async def one(arrival: Arrival) -> None:
        nonlocal dropped
        if arrival.muted and not arrival.runner.keeps:
            return
        try:
            answer = arrival.runner.run(arrival, Look(Session()))
            if asyncio.iscoroutine(answer) or asyncio.isfuture(answer):
                await cast("Awaitable[object]", answer)
        except BaseException as error:
            if is_ours(error):
                raise
            dropped += 1
            log.warning("group %s dropped %s of %s: %s", host.group, arrival.head.name, arrival.key, describe(error))

    mine = [a for a in arrivals if a.partition in work.ends]  # of which progress was kept: the others come again
    running, rest = await run_lanes(mine, one, host.gate, host.clock, float("inf"))
    assert not running and not rest
    return dropped
