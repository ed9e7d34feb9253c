"""What a group hears, and what runs it. The floor above (domain) fills these in; delivery only drives them.

An *arrival* is one event on its way through a group. A *runner* decides about it: it gives back a *decision*, which is
data: nothing has happened yet. The turn applies decisions to its session and commits them together.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

from msgspec import Struct

from tidings.delivery.decision import Decision, Kind
from tidings.delivery.policy import Guarantee, Retry
from tidings.delivery.session import Look
from tidings.engine.unit import Address, Partition, Timer
from tidings.event.envelope import Head


class Arrival(Struct, eq=False):
    """One event of one partition, decoded. `held`: it comes from the held table; `timer`: it is a timer that is due."""

    number: int  # its place in the turn
    partition: Partition
    offset: int
    time: int  # when the log took it, in microseconds
    key: bytes | None
    packed: bytes  # the head as it lies in the log
    data: bytes | None
    head: Head
    message: Any
    runner: Runner
    attempt: int = 1
    held: bool = False
    timer: Timer | None = None
    muted: bool = False
    refused: dict[int, str] = {}  # which of several handlers refused inside the commit, and why: they do not run again
    route: Route | None = None  # how it was read

    @property
    def place(self) -> tuple[Partition, int | str]:
        """What names it in its group: partition and offset, or the name of its timer."""
        return self.partition, self.offset if self.timer is None else self.timer.name

    def anew(self) -> None:
        """Read the message again before another run: the handler may have changed the lists that it was handed."""
        if self.route is not None:
            self.message = self.route.decode(self.head.version, self.data)


Mode: TypeAlias = Literal["inline", "awaited", "thread"]


class Runner(Protocol):
    """Decides about arrivals of one type. `inline` answers at once; the other modes give an awaitable."""

    mode: Mode
    retry: Retry
    keeps: bool  # it may write rows: it runs in a muted replay, the others do not

    def needs(self, message: Any, head: Head) -> Mapping[Address, Kind]:
        """States that are sure to be asked for: the turn loads them for the whole batch in one go."""

    def run(self, arrival: Arrival, look: Look) -> Decision | Awaitable[Decision]:
        """Raises what the handler raises. May be called again for the same arrival, with a fresh look."""


class Route(Protocol):
    """One type of message as this group hears it."""

    version: int
    runner: Runner

    def decode(self, version: int, data: bytes | None) -> Any:
        """The message, upcast where it is older. Poison where it cannot be read."""


class Subscription(Struct, eq=False):
    """One group: the topics it reads, a route for each name it hears, and how it behaves."""

    group: str
    topics: Sequence[str]
    routes: Mapping[str, Route]
    guarantee: Guarantee = "exactly-once"
    start: int | Literal["beginning", "end"] = "beginning"  # or microseconds
    ignores: frozenset[str] = frozenset()  # types of its topics that are known and not for this group
    closed: frozenset[str] = frozenset()  # topics in which an unknown type pauses the group
    internal: Mapping[str, Route] = {}  # timers and answers of tidings itself
    ticks: Sequence[Timer] = ()  # timers that exist from the start (partition: where they live)
