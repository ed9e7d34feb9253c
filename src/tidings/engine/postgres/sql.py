"""SQL lies in .sql files, in blocks that begin with `-- name: word`; this module alone reads them.

Values are always bound. Names of users' tables and columns cannot be bound, so `quoted` lets only plain words through.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

from tidings.errors import Refused

WORD = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
OURS = ("tidings_", "pg_")
LONGEST = 63  # letters of a name; the server would cut a longer one off in silence


def blocks(name: str) -> Mapping[str, str]:
    """The statements of one file, by name, in the order they are written."""
    text = files(__package__).joinpath(name).read_text("utf-8")
    parts = re.split(r"^-- name: (\S+)\n", text, flags=re.MULTILINE)
    return {word: body.strip() for word, body in zip(parts[1::2], parts[2::2], strict=True)}


def quoted(word: str) -> str:
    """A user's name of a table or column as SQL; Refused unless it is a plain word."""
    if not WORD.fullmatch(word) or word.lower().startswith(OURS) or len(word) > LONGEST:
        raise Refused(
            f"{word!r} cannot be the name of a table or column",
            hint=f"use at most {LONGEST} letters, digits and underscores, not first a digit, `tidings_` or `pg_`",
        )
    return f'"{word}"'


SQL: Mapping[str, bytes] = {name: text.encode() for name, text in blocks("statements.sql").items()}
