"""One write transaction, shared by whatever units and jobs waited for it.

Its numbers (the next offset, the last row version) are read once at its start. Rows of the log and counters are kept
back to its end, where few statements write all of them; until then a unit that fails is undone by `back`.

The rows are one flat list, and one statement inserts `MANY` of them: a step of SQLite gives the interpreter away and
must get it back, so fewer steps cost less, most of all while the loop is busy.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import apsw

from tidings.engine.sqlite.catalog import Catalog
from tidings.engine.sqlite.sql import SQL

STAMP, TALLY = SQL["stamp"], SQL["tally_add"]
WIDTH = 7  # columns of tidings_log
MANY = 64
LOG_PUT = SQL["log_put"]
LOG_PUT_MANY = LOG_PUT + ", (?, ?, ?, ?, ?, ?, ?)" * (MANY - 1)


class Turn:
    __slots__ = ("_stamp", "c", "catalog", "flat", "now", "pos", "stamp", "tally")

    def __init__(self, c: apsw.Connection, catalog: Catalog, now: int, pos: int, stamp: int) -> None:
        self.c, self.catalog, self.now = c, catalog, now
        self.pos = pos  # the offset of the next record
        self.stamp = self._stamp = stamp
        self.flat: list[Any] = []  # rows of the log: pos, tp, key, time, head, data, crc, pos, ...
        self.tally: Counter[tuple[str, str]] = Counter()

    def flush(self) -> None:
        """Write what was kept back."""
        if self.flat:
            self._flush_log()
        if self.stamp != self._stamp:
            self.c.execute(STAMP, (self.stamp,))
            self._stamp = self.stamp
        if self.tally:
            self.c.executemany(TALLY, [(*name, count) for name, count in self.tally.items()])
            self.tally = Counter()

    def _flush_log(self) -> None:
        flat, self.flat = self.flat, []
        size = WIDTH * MANY
        many = len(flat) - len(flat) % size
        if many:
            self.c.executemany(LOG_PUT_MANY, [flat[n : n + size] for n in range(0, many, size)])
        if many < len(flat):
            self.c.executemany(LOG_PUT, [flat[n : n + WIDTH] for n in range(many, len(flat), WIDTH)])

    def mark(self) -> tuple[int, int, Counter[tuple[str, str]]]:
        return len(self.flat), self.pos, self.tally.copy()

    def back(self, mark: tuple[int, int, Counter[tuple[str, str]]]) -> None:
        """Forget what was kept back since the mark. A version of rows is never drawn again."""
        kept, self.pos, self.tally = mark
        del self.flat[kept:]
