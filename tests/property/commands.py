"""What may be done to an engine, in words that mean the same on every engine.

A command names no offset, version or epoch: it says "as it stands", "as it stood", "two records further". The side that
carries it out looks up what that is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from hypothesis import strategies as st

How: TypeAlias = Literal["as it stands", "as it stood", "not there"]
Wrong: TypeAlias = Literal["", "epoch", "place", "held"]

PARTS = [("t", 0), ("t", 1), ("c", 0)]
GROUPS = ["g", "h"]
STATES = [("shelves", "a"), ("shelves", "b"), ("order", "1"), ("order", "2")]
ROWS = [state for state in STATES if state[0] == "shelves"]
STREAMS = [state for state in STATES if state[0] == "order"]
MARKS = [("s", b"x"), ("s", b"y"), ("r", b"x")]
TIMERS = ["one", "two"]
KEYS = [b"k", b"l", None]


@dataclass(frozen=True)
class Told:
    """`place`: of an event in a stream: the next one, one that is wrong, or whatever comes (None)."""

    part: tuple[str, int] | None
    key: bytes | None
    stream: tuple[str, str] | None
    place: Literal["next", "wrong"] | None
    deletes: bool


@dataclass(frozen=True)
class Moves:
    """Progress of one partition by some records, and events of it that are held or done."""

    part: tuple[str, int]
    by: int
    wrong: Wrong
    hold: tuple[tuple[int, int | None], ...]  # (how many records back from the end, due)
    finish: tuple[int, ...]  # places among those that are held


@dataclass(frozen=True)
class Unit:
    group: str
    moves: tuple[Moves, ...]
    expect: tuple[tuple[tuple[str, str], How], ...]
    once: tuple[tuple[tuple[str, bytes], tuple[int, ...]], ...]
    told: tuple[Told, ...]
    writes: tuple[tuple[tuple[str, str], int | None], ...]
    timers: tuple[tuple[str, int], ...]
    fired: tuple[tuple[str, bool], ...]  # a name, and whether it is as it was read
    cancel: tuple[str, ...]
    inside: Literal["", "tells", "raises", "marks"]
    impossible: Literal["", "topic", "table", "width"]
    note: bool


@dataclass(frozen=True)
class Commit:
    units: tuple[Unit, ...]


@dataclass(frozen=True)
class Claim:
    group: str
    parts: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Renew:
    group: str


@dataclass(frozen=True)
class Release:
    group: str


@dataclass(frozen=True)
class Move:
    group: str
    part: tuple[str, int]
    to: int  # as many records from the start
    clear: bool
    muted: bool


@dataclass(frozen=True)
class Pause:
    group: str
    part: tuple[str, int]
    reason: str | None


@dataclass(frozen=True)
class Redrive:
    group: str
    part: tuple[str, int]
    key: bytes | None
    drop: bool


@dataclass(frozen=True)
class Remove:
    group: str


@dataclass(frozen=True)
class Keep:
    stream: tuple[str, str]
    back: int  # as many versions before the newest
    fingerprint: str


@dataclass(frozen=True)
class Pass:
    """Time, and then what goes with it."""

    seconds: float
    sweep: bool
    purge: bool


Command: TypeAlias = Commit | Claim | Renew | Release | Move | Pause | Redrive | Remove | Keep | Pass


def some(each: st.SearchStrategy[Any], most: int, by: Any = None, least: int = 0) -> st.SearchStrategy[tuple[Any, ...]]:
    """A few different ones; `by`: what makes them different."""
    return st.lists(each, min_size=least, max_size=most, unique_by=by).map(tuple)


def mostly(usual: object, *others: object) -> st.SearchStrategy[Any]:
    return st.sampled_from([usual] * 6 + list(others))


def first(pair: Sequence[Any]) -> Any:
    return pair[0]


groups, parts, keys = st.sampled_from(GROUPS), st.sampled_from(PARTS), st.sampled_from(KEYS)
hows = mostly("as it stands", "as it stands", "as it stood", "not there")


def telling(place: st.SearchStrategy[Any]) -> st.SearchStrategy[Told]:
    stream = st.one_of(st.none(), st.sampled_from(STREAMS))
    return st.builds(Told, st.one_of(parts, parts, st.none()), keys, stream, place, mostly(False, True))


def moving(wrong: st.SearchStrategy[Any]) -> st.SearchStrategy[Moves]:
    hold = some(st.tuples(st.integers(0, 3), st.sampled_from([None, None, 0, 50])), 2, first)
    return st.builds(Moves, parts, st.integers(0, 3), wrong, hold, some(st.integers(0, 2), 2))


units = st.builds(
    Unit,
    group=groups,
    moves=some(moving(mostly("", "epoch", "place", "held")), 2, lambda m: m.part),
    expect=some(st.tuples(st.sampled_from(STATES), hows), 2, first),
    once=some(st.tuples(st.sampled_from(MARKS), some(st.integers(0, 2), 2)), 2, first),
    told=some(telling(mostly(None, "next", "next", "next", "wrong")), 3),
    writes=some(st.tuples(st.sampled_from(ROWS), st.one_of(st.none(), st.integers(0, 9))), 2),
    timers=some(st.tuples(st.sampled_from(TIMERS), st.integers(0, 9)), 2, first),
    fired=some(st.tuples(st.sampled_from(TIMERS), mostly(True, False)), 1),
    cancel=some(st.sampled_from(TIMERS), 1),
    inside=mostly("", "tells", "raises", "marks"),
    impossible=mostly("", "topic", "table", "width"),
    note=st.booleans(),
)
plain = st.builds(
    Unit,
    group=groups,
    moves=some(moving(st.just("")), 2, lambda m: m.part, least=1),
    expect=st.just(()),
    once=st.just(()),
    told=some(telling(st.just(None)), 3),
    writes=some(st.tuples(st.sampled_from(ROWS), st.integers(0, 9)), 1),
    timers=some(st.tuples(st.sampled_from(TIMERS), st.integers(0, 9)), 1),
    fired=st.just(()),
    cancel=st.just(()),
    inside=st.just(""),
    impossible=st.just(""),
    note=st.just(False),
)
COMMANDS: list[st.SearchStrategy[Any]] = [
    *[st.builds(Commit, some(plain, 2, least=1))] * 6,
    *[st.builds(Commit, some(st.one_of(units, plain), 3, least=1))] * 8,
    *[st.builds(Claim, groups, some(parts, 3, least=1))] * 2,
    *[st.builds(Renew, groups)] * 2,
    st.builds(Release, groups),
    st.builds(Move, groups, parts, st.integers(0, 4), st.booleans(), st.booleans()),
    st.builds(Pause, groups, parts, st.sampled_from([None, "by hand"])),
    *[st.builds(Redrive, groups, parts, keys, st.booleans())] * 2,
    st.builds(Remove, groups),
    st.builds(Keep, st.sampled_from(STREAMS), st.integers(0, 2), st.sampled_from(["v1", "v2"])),
    *[st.builds(Pass, st.sampled_from([1.0, 60.0, 90_000.0, 4_000_000.0]), st.booleans(), st.booleans())] * 2,
]


@st.composite
def scripts(draw: st.DrawFn) -> list[Command]:
    return [draw(draw(st.sampled_from(COMMANDS))) for _ in range(draw(st.integers(1, 20)))]


def opening() -> list[Command]:
    """Some of everything is there, and both groups have begun."""
    told = tuple(
        Told(PARTS[n % 3], KEYS[n % 2], STREAMS[n % 2] if n % 3 else None, None, deletes=False) for n in range(9)
    )
    unit = Unit("g", (), (), (), told, tuple((row, 1) for row in ROWS), (), (), (), "", "", note=False)
    held = Moves(PARTS[0], 2, "", ((0, None), (1, 0)), ())
    holding = Unit("g", (held,), (), ((MARKS[0], ()),), (), (), ((TIMERS[0], 5),), (), (), "", "", note=False)
    return [Claim("g", tuple(PARTS)), Claim("h", tuple(PARTS[:1])), Commit((unit,)), Commit((holding,))]
