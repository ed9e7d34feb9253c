"""A decision: what one handler run came to, as data; and the kinds of state that it reads and writes.

Nothing has happened yet. The turn applies decisions to its session and commits them together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from msgspec import Struct

from tidings.engine.unit import Address, Event, Inside, Once, Timer, Write
from tidings.errors import Rejected


class Append(Struct):
    """Messages that join a stream, and the event of each as it will be written."""

    kind: Kind
    messages: list[Any]


class Decision(Struct):
    """What one handler run came to. `reads`: the session's stamp of every state that it rests on."""

    reads: dict[Address, int] = {}
    writes: dict[Address, tuple[Kind, Any]] = {}  # None: the row goes
    appends: dict[Address, Append] = {}
    events: list[Event] = []
    timers: list[Timer] = []
    cancel: list[str] = []
    once: list[Once] = []
    inside: Inside | None = None
    outcome: str = "handled"
    text: str = ""
    raised: list[BaseException] = []  # what a transactional handler raised inside the commit
    refuse: Callable[[Rejected], Decision] | None = None  # the decision instead, where that was a refusal

    def touched(self) -> set[Address]:
        return {*self.reads, *self.writes, *self.appends}

    def written(self) -> set[Address]:
        return {*self.writes, *self.appends}


class Kind(Protocol):
    """One kind of state (the rows of a table, the streams of an aggregate), as the session keeps it."""

    async def load(self, addresses: Sequence[Address]) -> Sequence[tuple[int, Any]]:
        """(version, value) in this order; version 0 and what stands for nothing where there is none."""

    def copy(self, value: Any) -> Any:
        """What a handler may be given: changing it changes nothing here."""

    def fold(self, value: Any, messages: Sequence[Any]) -> Any:
        """The value after these messages (streams only)."""

    def write(self, address: Address, value: Any) -> Write:
        """The value as the store keeps it (rows only)."""

    async def settled(self, stands: Sequence[tuple[Address, int, Any]]) -> None:
        """Called after a commit with (address, version, value) of streams that grew: a chance to keep snapshots."""
