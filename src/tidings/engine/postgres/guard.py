"""What a user's SQL may be: one statement; in a query only reading, in a handler nothing that ends the transaction or
writes a table of tidings.

The server refuses several statements in one text (they are prepared) and a write on a read-only session. What is
left is looked at as words, outside of literals and comments: a guard against mistakes. Against malice give the service
a user of its own.

Parameters are written `:name`, as on every engine.
"""

from __future__ import annotations

import re

from tidings.errors import Refused

TOKEN = re.compile(
    r"(?P<quiet>'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)|\"[^\"]*\"|::"
    r"|:(?P<name>[a-zA-Z_]\w*)",
    re.DOTALL,
)
WORDS = re.compile(r"\w+")
ENDING = {
    "abort", "begin", "call", "checkpoint", "commit", "deallocate", "discard", "do", "end", "listen", "load", "lock",
    "notify", "prepare", "release", "reset", "rollback", "savepoint", "set", "start", "unlisten", "vacuum",
}  # fmt: skip
READING = {"select", "with", "values", "table", "explain", "show"}
WRITING = {"insert", "update", "delete", "merge", "truncate", "create", "alter", "drop", "grant", "revoke", "copy"}


def named(sql: str) -> bytes:
    """As the driver writes parameters."""

    def one(found: re.Match[str]) -> str:
        name = found["name"]
        return f"%({name})s" if name else found[0].replace("%", "%%")

    last, parts = 0, []
    for found in TOKEN.finditer(sql):
        parts += [sql[last : found.start()].replace("%", "%%"), one(found)]
        last = found.end()
    return ("".join(parts) + sql[last:].replace("%", "%%")).encode()


def check(sql: str, *, reads: bool) -> None:
    """Refused where the statement may not be run here."""
    words = _words(sql)
    first = words[0] if words else ""
    if reads and (first not in READING or "set_config" in words):
        raise Refused("a query only reads", hint="begin with select or with; write in a transactional handler")
    if first in ENDING or "set_config" in words:
        raise Refused(f"a handler may not run {first!r}", hint="return to commit, raise to take everything back")
    if not reads and WRITING.intersection(words) and any(word.startswith("tidings_") for word in words):
        raise Refused("tidings' own tables are written by tidings", hint="tell events, or keep tables of your own")


def check_script(sql: str) -> None:
    """A script of a user's DDL: any number of statements, none of which ends the transaction or touches ours."""
    words = _words(sql)
    if {"commit", "rollback", "abort", "savepoint"}.intersection(words):
        raise Refused("a script may not end its transaction", hint="it is one transaction by itself")
    if any(word.startswith("tidings_") for word in words):
        raise Refused("tidings' own tables are made by tidings", hint="give yours other names")


def _words(sql: str) -> list[str]:
    return WORDS.findall(TOKEN.sub(lambda found: " " if found["quiet"] else found[0], sql).lower())
