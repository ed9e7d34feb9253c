"""How a group behaves: what it promises, and what it does when a handler fails."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

from tidings.clock import hours, minutes, seconds
from tidings.errors import DefinitionError
from tidings.event.message import Event

Guarantee: TypeAlias = Literal["at-most-once", "at-least-once", "exactly-once"]
Start: TypeAlias = Literal["beginning", "end"] | datetime


@dataclass(frozen=True, slots=True)
class Retry:
    """Wait and try again while later events of the same key queue behind; other keys flow.

    The wait begins with `first` and grows by `factor` up to `longest`, spread by `jitter`, a share of it. It ends after
    `attempts`, or when `deadline` has passed; `then` parks the event with the later ones of its key, or pauses its
    partition. `on`: errors worth another try besides Temporary; everything else is parked at once.
    """

    attempts: int = 10
    first: timedelta = seconds(0.2)
    factor: float = 2.0
    longest: timedelta = minutes(5)
    jitter: float = 0.2
    deadline: timedelta = hours(1)
    on: tuple[type[Exception], ...] = (TimeoutError, ConnectionError)
    then: Literal["park", "pause"] = "park"

    def __post_init__(self) -> None:
        waits: dict[str, Any] = {"first": self.first, "longest": self.longest, "deadline": self.deadline}
        for name, wait in waits.items():
            if not isinstance(wait, timedelta):
                raise DefinitionError(f"Retry({name}={wait!r}) is no duration", hint=f"{name}=seconds({wait!r})")
        wrong = (
            ("attempts", self.attempts >= 1, "at least 1, the first run included"),
            ("first", self.first >= timedelta(0), "a wait is not negative"),
            ("factor", self.factor >= 1, "at least 1: waits do not shrink"),
            ("longest", self.longest >= self.first, "not below `first`"),
            ("jitter", 0 <= self.jitter <= 1, "a share between 0 and 1"),
            ("deadline", self.deadline >= timedelta(0), "a wait is not negative"),
            ("then", self.then in {"park", "pause"}, "'park' or 'pause'"),
        )
        for name, right, hint in wrong:
            if not right:
                raise DefinitionError(f"Retry({name}={getattr(self, name)!r}) makes no sense", hint=hint)
        listed: tuple[Any, ...] = self.on  # what its type says is checked only where a checker runs
        for error in listed:
            if not (isinstance(error, type) and issubclass(error, Exception)):
                raise DefinitionError(f"Retry(on=...) names {error!r}", hint="a tuple of exception classes")


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is known about this arrival, for a handler that asks for it by type.

    `time`: when the message was recorded; `now`: the system's clock. `idempotency_key` comes from handler and message:
    the same on every attempt, so another system may know a repetition by it. `replayed`: the group was reset below
    this message with its effects muted.
    """

    id: str
    time: datetime
    now: datetime
    attempt: int
    idempotency_key: str
    correlation_id: str
    causation_id: str
    traceparent: str
    replayed: bool = False


class Tick(Event):
    """What a scheduled handler hears. `due`: the moment this run stands for, which may have passed a while ago."""

    due: datetime
