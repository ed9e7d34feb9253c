"""What a store can show of its own invariants, by looking at all of it.

    I5   offsets only go up   a group's ledger has no hole and no step back but by an audited reset
    I6   one owner at a time  epochs never fall, and no epoch has two members
    I8   projection == fold   built again from the first event, row by row (needs the program)
    I12  streams are dense    versions are 1, 2, 3, ..., no id twice in a stream
    I14  causality            a message is of its cause's flow, and its cause lies before it
    I18  integrity            the file's pages, the checksum of every record, and offsets that rise
    I19  at rest              nothing waits, no saga is open or stuck, no dead member owns what a living one should

A violation is something that no fault may lead to. What cannot be shown is said, with the reason: never "fine".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from tidings.domain.runtime import Runtime
from tidings.engine.port import Engine
from tidings.ops.checks import Found, causes, damage, dense, ledgers, owners, rest
from tidings.ops.shadow import compare
from tidings.ops.words import plural

Outcome: TypeAlias = Literal["holds", "violated", "not shown"]
BEYOND = (
    "what producers were told (I1, I2), effects elsewhere (I3, I10) and what crashes do (I11, I13) leave no trace in a "
    "store: the crash proof shows those"
)


class Check(Struct, frozen=True):
    """`looked_at`: how many `what` were looked at. `violations`: sentences, perhaps only the first of `count`.
    `remarks`: what limits the answer, or why there is none."""

    id: str
    title: str
    outcome: Outcome
    looked_at: int
    what: str
    count: int = 0
    violations: Sequence[str] = ()
    remarks: Sequence[str] = ()


class Verdict(Struct, frozen=True):
    """`sound`: nothing is violated. `beyond`: what no look at a store can show."""

    sound: bool
    checks: Sequence[Check]
    beyond: str = BEYOND


async def verify(
    engine: Engine, runtime: Runtime | None = None, told: Callable[[str], None] = lambda _: None
) -> Verdict:
    """Look at everything; `told` hears the title of each check as it begins. Other processes may go on meanwhile."""
    looks: list[tuple[str, str, str, Callable[[], Awaitable[Found]]]] = [
        ("I5", "offsets only go up", "lines of the ledger and positions", lambda: ledgers(engine)),
        ("I6", "one owner at a time", "claims", lambda: owners(engine)),
        ("I8", "projections are the fold of their events", "rows", lambda: _folds(runtime)),
        ("I12", "streams are dense", "events of streams", lambda: dense(engine)),
        ("I14", "every message has its cause", "messages", lambda: causes(engine)),
        ("I18", "nothing is damaged", "records", lambda: damage(engine)),
        ("I19", "at rest", "groups and sagas", lambda: rest(engine)),
    ]
    checks = []
    for id, title, what, look in looks:
        told(f"{id} {title}")
        checks.append(_check(id, title, what, await look()))
    return Verdict(all(c.outcome != "violated" for c in checks), checks)


def _check(id: str, title: str, what: str, found: Found) -> Check:
    if not found.looked_at and not found.open_:
        found.open_.append("there is nothing to look at")
    outcome: Outcome = "violated" if found.count else "not shown" if found.open_ else "holds"
    remarks = [*found.open_, *found.remarks]
    return Check(id, title, outcome, found.looked_at, what, found.count, found.wrong, remarks)


async def _folds(runtime: Runtime | None) -> Found:
    found = Found()
    if runtime is None:
        found.open_.append("folds are in the program: name it (--target module:attribute)")
        return found
    for group in runtime.program.groups:
        if group.projection is None:
            continue
        made = await compare(runtime, group)
        found.looked_at += made.rows
        if made.why:
            found.open_.append(f"{group.name}: {made.why}")
        for each in made.differences:
            found.violated(f"{group.name}: {each}")
        found.count += made.wrong - len(made.differences)
        if not made.why and not made.wrong:
            found.remarks.append(
                f"{group.name}: {plural(made.events, 'event')} folded again into {plural(made.rows, 'row')}"
            )
    return found


__all__ = ["BEYOND", "Check", "Outcome", "Verdict", "verify"]
