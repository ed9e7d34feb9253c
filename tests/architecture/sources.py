"""The repository as these tests see it: what is tracked or about to be, its text, its syntax trees."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGE: Final = ROOT / "src" / "tidings"
BUILT: Final = {".git", ".venv", ".venv-bench", ".services", "build", "dist", "__pycache__"}


@cache
def files() -> tuple[Path, ...]:
    """Every file that git tracks or would; without git (an unpacked source archive), every file that nobody built."""
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if not BUILT & set(path.relative_to(ROOT).parts)]
    return tuple(sorted(path for path in paths if path.is_file()))


def under(folder: str, suffix: str = ".py") -> Iterator[Path]:
    """Files of one folder of the repository; "" is all of it."""
    home = ROOT / folder
    return (path for path in files() if path.suffix == suffix and path.is_relative_to(home))


def name(path: Path) -> str:
    """The path as people write it."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=name(path))


@cache
def nodes(folder: str) -> tuple[tuple[str, ast.AST], ...]:
    """(place, node) for every node of every module of a folder; the place is `file:line`."""
    return tuple(
        (f"{name(path)}:{getattr(node, 'lineno', 1)}", node) for path in under(folder) for node in ast.walk(tree(path))
    )


def dotted(node: ast.AST) -> str:
    """`a.b.c` for a name or a chain of attributes, "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (head := dotted(node.value)):
        return f"{head}.{node.attr}"
    return ""


def imported(node: ast.AST) -> list[str]:
    """The modules that an import statement names; those inside functions and for types alone count too."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module]
    return []


def module(path: Path) -> str:
    """The dotted name of a module of the package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
