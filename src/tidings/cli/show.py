"""What commands print: tables that fit the terminal, trees, and JSON.

Colours mean something or are not there: red = somebody must act, yellow = worth a look. A terminal that is too narrow
for a table gets each row as a block of lines. Without a terminal nothing is coloured or cut.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn

import msgspec
from rich.box import ASCII, SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tidings.cli.texts import safe

STYLES = {"act": "bold red", "look": "yellow", "ok": "", "faint": "dim", "strong": "bold"}
NARROW = 60  # columns, below which every table is shown as blocks
LONG = 24  # letters of a word that a folded column leaves whole
WIDE = 200  # of what is no terminal
LEAST = 20


class Out(Console):
    """A console whose closed pipe ends the command quietly."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


@cache
def out() -> Out:
    """Standard output; letters that its encoding lacks are shown as escapes."""
    return _console(sys.stdout)


@cache
def err() -> Out:
    return _console(sys.stderr)


def _console(stream: Any) -> Out:
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")
    width = None if stream.isatty() else WIDE
    if os.environ.get("COLUMNS", "").isdigit():
        width = max(LEAST, int(os.environ["COLUMNS"]))
    return Out(file=stream, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)


def unicode() -> bool:
    return out().encoding.lower().startswith("utf")


def glyph(fancy: str, plain: str) -> str:
    """The sign that the output can show."""
    return fancy if unicode() else plain


# ---- JSON ----------------------------------------------------------------------------------------------------------


def to_json(value: object) -> bytes:
    return msgspec.json.encode(value, enc_hook=_other)


def _other(value: object) -> object:
    return repr(value)


def print_json(value: object) -> None:
    """One document; indented on a terminal."""
    data = to_json(value)
    if out().is_terminal:
        data = msgspec.json.format(data, indent=2)
    write(data + b"\n")


def write(data: bytes) -> None:
    """Bytes to standard output, at once; JSON is UTF-8 whatever the locale."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


# ---- text ----------------------------------------------------------------------------------------------------------


def text(value: object, style: str = "") -> Text:
    """Harmless, and coloured by meaning: `act`, `look`, `ok`, `faint`, `strong`."""
    return Text(safe(value), style=STYLES.get(style, style))


def line(*parts: object, sep: str = " ") -> None:
    """One line of parts, each a str or a Text."""
    shown = Text(sep).join([p if isinstance(p, Text) else text(p) for p in parts])
    out().print(shown, soft_wrap=not out().is_terminal)


@dataclass(frozen=True)
class Column:
    """`right`: numbers. `fold`: it takes the width that is left, in several lines."""

    name: str
    right: bool = False
    fold: bool = False


def table(columns: Sequence[str | Column], rows: Sequence[Sequence[object]], empty: str = "") -> None:
    """Rows of values or Texts; `empty` stands for a table without rows. A column that is empty in all is left out."""
    if not rows:
        if empty:
            line(text(empty, "faint"))
        return
    made = [c if isinstance(c, Column) else Column(c) for c in columns]
    cells = [[v if isinstance(v, Text) else text("" if v is None else v) for v in row] for row in rows]
    used = [n for n in range(len(made)) if any(row[n].plain for row in cells)]
    made, cells = [made[n] for n in used], [[row[n] for n in used] for row in cells]
    least = _least(made, cells)
    if len(made) > 2 and out().width < min(WIDE, max(NARROW, least)):
        _blocks(made, cells)
        return
    box = SIMPLE_HEAD if unicode() else ASCII
    shown = Table(box=box, show_edge=False, pad_edge=False, header_style="dim", padding=(0, 1))
    for c in made:
        shown.add_column(
            c.name,
            justify="right" if c.right else "left",
            overflow="fold",
            no_wrap=not c.fold and least <= out().width,
        )
    for row in cells:
        shown.add_row(*row)
    out().print(shown)


def _least(columns: Sequence[Column], cells: Sequence[Sequence[Text]]) -> int:
    """The width at which no word has to be cut but the long ones of a column that may be folded."""
    least = 3 * (len(columns) - 1)
    for n, c in enumerate(columns):
        texts = [row[n].plain for row in cells]
        words = [min(len(word), LONG) for text in texts for word in text.split()]
        least += max([len(c.name), *(words if c.fold else map(cell_len, texts))])
    return least


def _blocks(columns: Sequence[Column], cells: Sequence[Sequence[Text]]) -> None:
    for number, row in enumerate(cells):
        if number:
            out().print()
        _pairs([(column.name, cell) for column, cell in zip(columns, row, strict=True) if cell.plain])


def _pairs(rows: Sequence[tuple[str, Text]]) -> None:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, cell in rows:
        grid.add_row(name, cell)
    out().print(grid)


def pairs(values: Mapping[str, object]) -> None:
    """Names and values, one a line; values that are empty are left out."""
    shown = [(safe(name), v if isinstance(v, Text) else text(v)) for name, v in values.items()]
    _pairs([(name, v) for name, v in shown if v.plain])
