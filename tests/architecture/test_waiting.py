"""Tests wait for a signal or an event, or steer the clock: a sleep is slow when it passes, wrong when not."""

from __future__ import annotations

import ast

from tests.architecture.sources import dotted, imported, nodes

SLEEPS = {"time.sleep", "asyncio.sleep", "anyio.sleep", "trio.sleep"}


def yields_once(node: ast.Call) -> bool:
    """`asyncio.sleep(0)` lets other tasks run and waits for nothing."""
    return dotted(node.func) == "asyncio.sleep" and [ast.dump(arg) for arg in node.args] == [ast.dump(ast.Constant(0))]


def test_no_test_sleeps() -> None:
    found = [
        place
        for place, node in nodes("tests")
        if isinstance(node, ast.Call) and dotted(node.func) in SLEEPS and not yields_once(node)
    ]
    assert not found, f"wait for what you wait for:\n{found}"


def test_no_test_hides_a_sleep_behind_another_name() -> None:
    found = [
        place
        for place, node in nodes("tests")
        if isinstance(node, ast.ImportFrom)
        and imported(node)[:1] in (["time"], ["asyncio"], ["anyio"], ["trio"])
        and any(alias.name == "sleep" for alias in node.names)
    ]
    assert not found, f"say where it comes from, so that it is seen:\n{found}"
