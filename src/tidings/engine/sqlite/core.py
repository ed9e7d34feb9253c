"""What the parts of one open engine share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from tidings.clock import Clock
from tidings.engine.ages import Ages
from tidings.engine.sqlite.members import Members
from tidings.engine.sqlite.reads import Reads
from tidings.engine.sqlite.turn import Turn
from tidings.engine.sqlite.users import Users
from tidings.engine.sqlite.writer import Writer
from tidings.engine.wake import Wake

T = TypeVar("T")


@dataclass(frozen=True)
class Core:
    path: str
    clock: Clock
    reads: Reads
    writer: Writer
    users: Users
    members: Members
    wake: Wake  # a commit was seen
    roster: Wake  # a member came or went
    ages: Ages
    lease: float
    beat: float
    poll_floor: float

    async def do(self, work: Callable[[Turn], T]) -> T:
        """Run it in the next write transaction."""
        result: Any = await self.writer.put(work)
        return result  # type: ignore[no-any-return]
