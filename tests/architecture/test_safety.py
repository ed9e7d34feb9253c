"""Bytes and names from outside are never code: not Python, not SQL, not a shell's words."""

from __future__ import annotations

import ast
import re

import pytest

from tests.architecture.sources import dotted, imported, nodes, under

CODE_OF_DATA = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "jsonpickle", "yaml"}
RUNS_DATA = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.execv", "os.execvp"}
STATEMENT = re.compile(
    r"""\s*(?: select\s.+\sfrom\s | insert\s+(?:or\s+\w+\s+)?into\s | replace\s+into\s | update\s+\S+\s+set\s
    | delete\s+from\s | with\s+(?:recursive\s+)?\S+\s+as\s*\(
    | create\s+(?:temp\s+)?(?:table|index|unique|trigger|view)\s
    | alter\s+table\s | drop\s+(?:table|index|view|trigger)\s | pragma\s | attach\s | savepoint\s
    | rollback\s+to\s | release\s+savepoint\s )""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
# Names of tables and columns cannot be bound. Those that declarations bring are checked to be plain words and quoted,
# where an engine keeps its tables of rows, and where a user's own SELECT begins.
QUOTES_NAMES = {
    "src/tidings/engine/postgres/catalog.py",
    "src/tidings/engine/sqlite/catalog.py",
    "src/tidings/domain/runtime.py",
}
# Annotations of the program itself are evaluated as typing.get_type_hints does it.
EVALUATES = {"src/tidings/event/hints.py"}


def text_of(node: ast.AST) -> str:
    """The text of a string, with `?` where something is put in."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(text_of(part) for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return text_of(left) + text_of(right)
        case _:
            return "?"


def assembled(node: ast.AST) -> str:
    """The text of a string that is put together while the program runs; "" for every other node."""
    match node:
        case ast.JoinedStr(values=parts) if any(isinstance(part, ast.FormattedValue) for part in parts):
            return text_of(node)
        case ast.BinOp(left=left, op=ast.Mod()):
            return text_of(left)
        case ast.BinOp(op=ast.Add()):
            return text_of(node)
        case ast.Call(func=ast.Attribute(value=left, attr="format" | "format_map" | "join")):
            return text_of(left)
        case _:
            return ""


def place_in(place: str, homes: set[str]) -> bool:
    return place.partition(":")[0] in homes


def test_sql_is_never_put_together_from_parts() -> None:
    found = [
        place for place, node in nodes("src") if STATEMENT.match(assembled(node)) and not place_in(place, QUOTES_NAMES)
    ]
    assert not found, f"put the statement into a .sql file and bind its values:\n{found}"


@pytest.mark.parametrize(
    "text",
    [
        'f"SELECT * FROM {name}"',
        '"select a" + columns + " from " + name',
        '"DELETE FROM {}".format(name)',
        '"UPDATE %s SET a = 1" % name',
        '"INSERT INTO " + name',
        'f"PRAGMA user_version = {n}"',
    ],
)
def test_sql_put_together_would_be_seen(text: str) -> None:
    assert STATEMENT.match(assembled(ast.parse(text, mode="eval").body))


def test_an_sql_file_holds_one_statement_a_block() -> None:
    for path in under("src", ".sql"):
        if path.name == "schema.sql":  # a block brings a file from one layout to the next, in as many as it takes
            continue
        for block in re.split(r"^-- name: .*$", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
            code = re.sub(r"--.*$|'(?:[^']|'')*'", "", block, flags=re.MULTILINE)
            assert ";" not in code.strip().removesuffix(";"), f"{path.name}: more than one statement:\n{block}"


def test_nothing_turns_bytes_into_code() -> None:
    found = [
        f"{place} {module}"
        for place, node in nodes("src")
        for module in imported(node)
        if module.partition(".")[0] in CODE_OF_DATA
    ]
    assert not found, f"events are msgspec Structs, settings are TOML:\n{found}"


def runs(place: str, node: ast.Call) -> bool:
    return dotted(node.func) in RUNS_DATA and not (dotted(node.func) == "eval" and place_in(place, EVALUATES))


def test_nothing_runs_text() -> None:
    calls = [(place, node) for place, node in nodes("src") if isinstance(node, ast.Call)]
    found = [f"{place} {dotted(node.func)}" for place, node in calls if runs(place, node)]
    found += [
        f"{place} shell=True"
        for place, node in calls
        for keyword in node.keywords
        if keyword.arg == "shell" and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
    ]
    assert not found, f"a name is looked up, never run:\n{found}"
