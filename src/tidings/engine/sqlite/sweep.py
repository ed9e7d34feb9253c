"""The sweeper: what may go is looked for away from the loop and from the write lock, then deleted by position in one
short transaction. Several processes may sweep at once: every deletion is counted by whoever did it.

`retention.py` and `compaction.py` say what goes and why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import apsw

from tidings import signals
from tidings.engine.sqlite import sizes
from tidings.engine.sqlite.catalog import Catalog
from tidings.engine.sqlite.compaction import Replacing, compact, look_at_graves
from tidings.engine.sqlite.compaction import look as look_at_keys
from tidings.engine.sqlite.core import Core
from tidings.engine.sqlite.retention import Going, Look, Row, retain
from tidings.engine.sqlite.sql import SQL, value_of
from tidings.engine.sqlite.turn import Turn


@dataclass
class Plan:
    going: Going = field(default_factory=Going)
    replacing: Replacing = field(default_factory=Replacing)

    def __bool__(self) -> bool:
        return self != Plan()


async def sweep(core: Core, limit: int) -> int:
    """At most `limit` records, in transactions of their own for each thing that was found. How many went."""
    catalog, now, gone = core.reads.refresh(), core.clock.now(), 0
    await sizes.places(core)  # counts what is new, so that no step has much to count
    while gone < limit:
        plan = await core.users.run(partial(_look, catalog, now, limit - gone))
        if not plan:
            break
        gone += await core.do(partial(_take, catalog, plan))
    return gone


def _look(catalog: Catalog, now: int, limit: int, c: apsw.Connection) -> Plan:
    plan = Plan()
    c.execute(SQL["read"])
    try:
        end = int(value_of(c, SQL["next"]))
        places = sizes.look(c, end)
        for topic in catalog.topics.values():
            if topic.compact:
                look_at_keys(c, catalog, topic, plan.replacing, limit - len(plan.replacing.latest), end)
            else:
                Look(c, catalog, topic, places).into(plan.going, now, limit - len(plan.going.rows), end)
        look_at_graves(c, plan.replacing, limit)
    finally:
        c.execute(SQL["commit"])
    return plan


def _take(catalog: Catalog, plan: Plan, turn: Turn) -> int:
    turn.c.execute(SQL["next_keep"], (turn.pos,))  # offsets are never used again
    sizes.count(turn.pos, turn)
    gone = _drop(turn, retain(turn, catalog, plan.going) + compact(turn, plan.replacing))
    signals.reached("sqlite.swept")
    return gone


def _drop(turn: Turn, rows: Sequence[Row]) -> int:
    bytes_: Counter[int] = Counter()
    gone = 0
    for row in rows:
        turn.c.execute(SQL["log_drop"], (row.pos, row.tp))
        if turn.c.changes():
            gone += 1
            bytes_[row.tp] -= row.bytes
    turn.c.executemany(SQL["measured"], bytes_.items())
    return gone
