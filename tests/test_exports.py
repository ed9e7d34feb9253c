"""The front door: it grows only on purpose."""

from __future__ import annotations

import tidings

NAMES = [
    "Aggregate",
    "By",
    "Cancel",
    "Client",
    "Command",
    "DefinitionError",
    "Delete",
    "Delivery",
    "Event",
    "Key",
    "Later",
    "Poison",
    "Receipt",
    "Rejected",
    "Retry",
    "Row",
    "Rows",
    "Saga",
    "Service",
    "Stale",
    "System",
    "Temporary",
    "Tick",
    "TidingsError",
    "Topic",
    "Transaction",
    "days",
    "hours",
    "minutes",
    "seconds",
    "step",
]


def test_the_front_door_has_these_names_in_this_order() -> None:
    assert tidings.__all__ == NAMES == sorted(NAMES)


def test_every_name_is_there_and_says_what_it_is() -> None:
    for name in NAMES:
        found = getattr(tidings, name)
        assert name in {"Key", "days", "hours", "minutes", "seconds"} or found.__doc__, name


def test_nothing_else_can_be_mistaken_for_public() -> None:
    classes = {name for name, value in vars(tidings).items() if isinstance(value, type)}
    assert classes <= set(NAMES)
