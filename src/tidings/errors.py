"""Every error of tidings. Facts are attributes, `hint` says what to do, the message joins both.

    TidingsError
    ├── DefinitionError   the program is wrong: raised at import or by System(...), never while events flow
    ├── SettingsError     a setting is unknown or cannot be read
    ├── Rejected          a business rule said no: an answer; nothing was written, nothing is retried
    ├── Temporary         not now: tried again by the retry policy
    │   ├── Missing       a row that must exist does not (yet)
    │   └── Conflict      somebody else changed the state first (tried again by itself)
    ├── Poison            never: park this event and the later ones of its key
    ├── Stale             a position was not reached in time: a read model lags, or nothing answered
    └── EngineError       the log or the store cannot serve; it says nothing about a unit
        ├── Closed        the engine is closing or closed; nothing was sent
        ├── Unavailable   the file or server cannot be reached, is full or read-only; nothing was sent
        ├── Refused       a declaration disagrees with what is stored, or this engine cannot do it
        ├── Truncated     retention took records that a reader still wanted
        └── Corrupt       a record failed its checksum; it is never served

Catch `TidingsError` broadly, or one of its branches narrowly. No driver's error passes: it is the `__cause__`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from datetime import timedelta


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The hint for a word that nobody knows: the nearest one, else all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"


class TidingsError(Exception):
    """Base of every error of tidings; `hint` says what to do."""

    def __init__(self, message: str = "", *, hint: str = "") -> None:
        super().__init__(f"{message}\n  hint: {hint}" if hint else message)
        self.message = message
        self.hint = hint


class DefinitionError(TidingsError):
    """The program is wrong. Raised at import or by `System(...)`, never while events flow."""


class SettingsError(TidingsError):
    """A setting is unknown, or its value cannot be read."""


class Rejected(TidingsError):  # an answer, not an accident
    """A business rule said no. Nothing was written; never retried, never parked; `call` raises it."""


class Temporary(TidingsError):
    """Not now. The event is tried again by the retry policy, `after` that long if given."""

    def __init__(self, message: str = "", *, after: timedelta | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.after = after


class Missing(Temporary):
    """A row that must exist does not, or not yet."""


class Conflict(Temporary):
    """Somebody else changed the state first, again and again; tidings tries again by itself."""


class Poison(TidingsError):
    """This event can never be handled: it is parked with the later ones of its key."""


class Stale(TidingsError):
    """A position was not reached in the time given."""


class EngineError(TidingsError):
    """The log or the store cannot serve. It says nothing about whether a unit was kept."""


class Closed(EngineError):
    """The engine is closing or closed. Nothing was sent."""


class Unavailable(EngineError):
    """The file or server cannot be reached, is full, or may not be written. Nothing was sent."""


class Refused(EngineError):
    """A declaration disagrees with what is stored, or this engine cannot do what was asked."""


class Truncated(EngineError):
    """Retention took records that this reader still wanted: `topic`, `partition`, and `first`, the first one left."""

    def __init__(self, topic: str, partition: int, first: int) -> None:
        super().__init__(
            f"{topic}/{partition} begins at {first} now; earlier records went by retention",
            hint="accept the loss with `tidings resume GROUP --accept-loss`, and keep the topic longer",
        )
        self.topic = topic
        self.partition = partition
        self.first = first


class Corrupt(EngineError):
    """A record failed its checksum: `topic`, `partition`, `offset` name it. It is never served."""

    def __init__(self, topic: str, partition: int, offset: int) -> None:
        super().__init__(
            f"record {offset} of {topic}/{partition} does not match its checksum",
            hint="the file is damaged: restore it from a backup; `tidings verify` lists every damaged record",
        )
        self.topic = topic
        self.partition = partition
        self.offset = offset
