"""The suite is not blind: every bug that is planted in the memory engine breaks a promise."""

from __future__ import annotations

import pytest

from tests.conformance.perform import broken
from tests.conformance.planted import BUGS, Bug, caught


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_planted_bug_is_caught(bug: Bug) -> None:
    by = caught(bug)
    assert by, f"no promise broke: {bug.words}"
    assert by.startswith("test_"), by


@pytest.mark.parametrize("engine", ["memory", "split"])
def test_without_a_bug_nothing_breaks(engine: str) -> None:
    """Else the promises above might break by themselves."""
    assert not broken(engine, sorted({word for bug in BUGS for word in bug.words.split()}))
