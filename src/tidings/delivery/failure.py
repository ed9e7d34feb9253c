"""What an exception means for the event that met it.

A refusal (`Rejected`) is an answer. `Temporary`, and the errors that the retry policy lists, are tried again while
later events of the same key wait behind; when attempts or the deadline are used up, and for every other error, the
event is parked with the later ones of its key (or its partition paused, if the policy says so). Nothing is ever
skipped.
"""

from __future__ import annotations

import asyncio
import logging
from random import random

from msgspec import Struct

from tidings.clock import MICRO
from tidings.delivery.policy import Retry
from tidings.errors import Poison, Temporary

log = logging.getLogger("tidings.delivery")


class Verdict(Struct, frozen=True):
    """`wait`: microseconds until the next attempt; None: no further attempt (park, or pause if `pause`)."""

    wait: int | None
    error: str
    pause: bool = False


def judge(error: BaseException, retry: Retry, attempt: int) -> Verdict:
    """What to do after this attempt (counted from 1) has failed."""
    text = describe(error)
    worth = isinstance(error, (Temporary, *retry.on)) and not isinstance(error, Poison)
    if not worth:
        return Verdict(None, text)
    if attempt >= retry.attempts or _elapsed(retry, attempt) >= retry.deadline.total_seconds():
        return Verdict(None, f"{text} (after {attempt} attempts)", pause=retry.then == "pause")
    after = getattr(error, "after", None)
    wait = (
        after.total_seconds() if after is not None else _delay(retry, attempt) * (1 + retry.jitter * (random() - 0.5))
    )
    return Verdict(int(wait * MICRO), text)


def is_ours(error: BaseException) -> bool:
    """Whether it ends this task from outside (a stop, Ctrl-C), and is no failure of the code that it passes through.

    Everything else that a handler raises is its failure, also what is no Exception: a cancelled task of its own, the
    SystemExit of some library.
    """
    if isinstance(error, (KeyboardInterrupt, GeneratorExit)):
        return True
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def describe(error: BaseException) -> str:
    """One line; an exception whose own text fails is still named."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 -- a user's __str__ may do anything
        text = "(its message cannot be shown)"
    return f"{type(error).__name__}: {text}"[:2000]


def say(
    group: str, name: str, key: bytes | None, text: str, error: BaseException | None = None, end: str = "is parked"
) -> None:
    """The held table keeps one line of it; where in the code it was raised is told here and nowhere else."""
    of = f" of key {key.decode(errors='replace')!r}" if key is not None else ""
    log.warning("group %s: %s%s %s: %s", group, name, of, end, text, exc_info=error)


def _delay(retry: Retry, attempt: int) -> float:
    first, longest = retry.first.total_seconds(), retry.longest.total_seconds()
    return float(min(longest, first * retry.factor ** min(attempt - 1, 64)))


def _elapsed(retry: Retry, attempt: int) -> float:
    """How long the attempts so far have taken by plan: kept nowhere, so it is the same after a takeover."""
    return sum(_delay(retry, n) for n in range(1, min(attempt, 1000)))
