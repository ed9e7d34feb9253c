"""How what came differs from what was expected, for people: unlike fields one a line, the rest in one line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any

from tidings.domain.state import Row
from tidings.event.message import Later, Message
from tidings.testing.effects import Effects, Gone, Other

MISSING, SURPLUS = "- expected, but it did not come:", "+ not expected, but it came:"
ABSENT, PRESENT = "- expected, but not stored:", "+ not expected, but stored:"


def differences(wanted: Effects, came: Effects) -> list[str]:
    """Lines; none where both are the same."""
    return [*_messages(wanted.messages, came.messages), *_others(wanted.others, came.others)]


def _messages(wanted: Sequence[Message], came: Sequence[Message]) -> Iterator[str]:
    if list(wanted) == list(came):
        return
    if sorted(map(repr, wanted)) == sorted(map(repr, came)):
        yield f"~ the same messages in another order: {_names(came)}, not {_names(wanted)}"
        return
    kinds = SequenceMatcher(None, [type(m) for m in wanted], [type(m) for m in came], autojunk=False)
    for what, first, last, begin, end in kinds.get_opcodes():
        if what == "equal":
            for want, got in zip(wanted[first:last], came[begin:end], strict=True):
                yield from _fields(want, got)
        else:
            yield from (f"{MISSING} {one}" for one in wanted[first:last])
            yield from (f"{SURPLUS} {one}" for one in came[begin:end])


def rows(wanted: Sequence[Row], stored: Sequence[Row]) -> list[str]:
    """The same for what is stored in one table."""
    return list(_others(wanted, stored, ABSENT, PRESENT))


def _others(
    wanted: Sequence[Other], came: Sequence[Other], missing: str = MISSING, surplus: str = SURPLUS
) -> Iterator[str]:
    """Rows and the like have no order: those of one name are compared."""
    want, got = {_name(one): one for one in wanted}, {_name(one): one for one in came}
    for name, one in want.items():
        if name not in got:
            yield f"{missing} {one}"
        else:
            yield from _fields(one, got[name])
    yield from (f"{surplus} {one}" for name, one in got.items() if name not in want)


def _name(one: Any) -> object:
    """What the thing is, whatever it says: a row by its key, a waiting message by its type and key."""
    match one:
        case Later(message=message):
            return "later", type(message), getattr(message, message.__info__.key or "", None)
        case Gone():
            return one
        case Row():
            return type(one), getattr(one, one.__key__)
        case _:
            return one


def _fields(want: Any, got: Any) -> Iterator[str]:
    if want == got:
        return
    if isinstance(want, Later) and isinstance(got, Later):
        yield f"~ Later {type(want.message).__name__}"
        if want.after != got.after:
            yield f"    after: {got.after}, expected {want.after}"
        yield from (line.replace("~ ", "    ") for line in _fields(want.message, got.message))
        return
    yield f"~ {type(want).__name__}"
    for name in want.__struct_fields__:
        mine, theirs = getattr(got, name), getattr(want, name)
        if mine != theirs:
            yield f"    {name}: {mine!r}, expected {theirs!r}"


def _names(messages: Sequence[Message]) -> str:
    return ", ".join(type(message).__name__ for message in messages)
