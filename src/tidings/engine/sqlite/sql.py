"""SQL lies in .sql files, in blocks that begin with `-- name: word`; this module alone reads them.

Values are always bound. Names of users' tables and columns cannot be bound, so `quoted` lets only plain words through.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, TypeAlias

import apsw

from tidings.errors import Refused

WORD = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
Bindings: TypeAlias = Sequence[Any] | dict[str, Any]
OURS = ("tidings_", "sqlite_")


def blocks(name: str) -> Mapping[str, str]:
    """The statements of one file, by name, in the order they are written."""
    text = files(__package__).joinpath(name).read_text("utf-8")
    parts = re.split(r"^-- name: (\S+)\n", text, flags=re.MULTILINE)
    return {word: body.strip() for word, body in zip(parts[1::2], parts[2::2], strict=True)}


def quoted(word: str) -> str:
    """A user's name of a table or column as SQL; Refused unless it is a plain word."""
    if not WORD.fullmatch(word) or word.lower().startswith(OURS):
        raise Refused(
            f"{word!r} cannot be the name of a table or column",
            hint="use letters, digits and underscores, not first a digit, and not first `tidings_` or `sqlite_`",
        )
    return f'"{word}"'


def rows_of(c: apsw.Connection, sql: str, values: Bindings = ()) -> list[tuple[Any, ...]]:
    return c.execute(sql, values).fetchall()


def row_of(c: apsw.Connection, sql: str, values: Bindings = ()) -> tuple[Any, ...] | None:
    """The first one, of a statement that has at most one or stops there."""
    return c.execute(sql, values).fetchone()


def value_of(c: apsw.Connection, sql: str, values: Bindings = ()) -> Any:
    """Of a statement that always has one row with one column."""
    return c.execute(sql, values).fetchall()[0][0]


SQL = blocks("statements.sql")
