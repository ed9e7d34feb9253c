"""Change one thing at a time in a module and see whether its tests notice: `make mutants FILE=... TESTS=...`.

Each mutant is one syntax node changed (a comparison turned, an `and` made `or`, a number raised by one, a condition
negated, a call left out, a returned value dropped). It is written into a copy of src, and the tests run against that
copy until the first failure. A mutant that no test kills is printed as a diff: either a test is missing, or the code is
not needed. A mutant that runs longer than four times the healthy run counts as killed.
"""

from __future__ import annotations

import argparse
import ast
import copy
import difflib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
TURNED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
Change = Callable[[], None]


def changes(node: ast.AST) -> Iterator[Change]:
    """What can be changed about one node of a tree; each, when called, changes it in place."""
    match node:
        case ast.Compare():
            for place, operator in enumerate(node.ops):
                yield partial(node.ops.__setitem__, place, TURNED[type(operator)]())
        case ast.BoolOp():
            yield lambda: setattr(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And())
        case ast.BinOp(op=ast.Add() | ast.Sub()):
            yield lambda: setattr(node, "op", ast.Sub() if isinstance(node.op, ast.Add) else ast.Add())
        case ast.If() | ast.While() | ast.IfExp():
            yield lambda: setattr(node, "test", ast.UnaryOp(ast.Not(), node.test))
        case ast.Constant(value=bool()):
            yield lambda: setattr(node, "value", not node.value)
        case ast.Constant(value=int(number)):
            yield lambda: setattr(node, "value", number + 1)
        case ast.Return(value=ast.expr()) if not (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield lambda: setattr(node, "value", ast.Constant(None))
        case ast.Expr(value=ast.Call() | ast.Await()):
            yield lambda: setattr(node, "value", ast.Constant(None))
        case _:
            return


def mutants(source: str) -> Iterator[tuple[int, str]]:
    """(line, source) of every mutant, in the order of the lines."""
    tree = ast.parse(source)
    places = [(at, nth) for at, node in enumerate(ast.walk(tree)) for nth, _ in enumerate(changes(node))]
    made = []
    for at, nth in places:
        twin = copy.deepcopy(tree)
        node = list(ast.walk(twin))[at]
        list(changes(node))[nth]()
        made.append((getattr(node, "lineno", 1), ast.unparse(ast.fix_missing_locations(twin))))
    return iter(sorted(made))


def difference(source: str, mutant: str) -> str:
    before, after = ast.unparse(ast.parse(source)).splitlines(), mutant.splitlines()
    lines = difflib.unified_diff(before, after, lineterm="", n=1)
    return "\n".join(line for line in lines if not line.startswith(("---", "+++")))


def killed(copied: Path, tests: Sequence[str], within: float | None) -> bool:
    """Whether a test fails against this copy of src, or does not end in time."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
    command += ["-o", f"pythonpath={copied} . examples", *tests]
    environment = os.environ | {"PYTHONPATH": f"{copied}{os.pathsep}examples", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=within, check=False)
    except subprocess.TimeoutExpired:
        return True
    return ended.returncode != 0


def run(file: Path, tests: Sequence[str], first: int | None) -> int:
    """The exit status: 0 if every mutant was killed."""
    source = file.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder) / "src"
        shutil.copytree(ROOT / "src", copied, ignore=shutil.ignore_patterns("__pycache__"))
        target = copied / file.relative_to(ROOT / "src")
        began = time.monotonic()
        if killed(copied, tests, None):
            sys.stderr.write("the tests fail before anything was changed\n")
            return 2
        within = 4 * (time.monotonic() - began) + 5
        total = survived = 0
        for line, mutant in list(mutants(source))[:first]:
            target.write_text(mutant, encoding="utf-8")
            total += 1
            if not killed(copied, tests, within):
                survived += 1
                print(f"{file.relative_to(ROOT)}:{line} survived\n{difference(source, mutant)}\n", flush=True)
        print(f"{total - survived} killed, {survived} survived")
    return 1 if survived else 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Change a module in one place at a time; its tests must notice.")
    parser.add_argument("file", type=Path, help="the module, below src")
    parser.add_argument("tests", nargs="+", help="what pytest is to run")
    parser.add_argument("--first", type=int, help="only so many mutants")
    arguments = parser.parse_args()
    return run(arguments.file.resolve(), arguments.tests, arguments.first)


if __name__ == "__main__":
    raise SystemExit(main())
