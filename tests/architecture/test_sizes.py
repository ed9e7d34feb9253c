"""A file is one subject and a function one thought: beyond these sizes a reader loses the thread."""

from __future__ import annotations

import ast

from tests.architecture.sources import name, nodes, under

FILE = 500  # lines; 50 to 250 is the aim
FUNCTION = 60  # lines with the docstring; 15 is the aim


def test_no_file_has_more_than_500_lines() -> None:
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in under("")}
    too_long = [f"{path} has {length} lines" for path, length in lengths.items() if length > FILE]
    assert not too_long, "split by subject:\n" + "\n".join(too_long)


def test_no_function_has_more_than_60_lines() -> None:
    too_long = [
        f"{place} {node.name} has {length} lines"
        for place, node in nodes("")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION
    ]
    assert not too_long, "name the steps and call them:\n" + "\n".join(too_long)
