"""One write transaction, shared by whatever units and jobs waited for it.

Its numbers (the next offset, the last row version) are read once at its start. Rows of the log and counters are kept
back to its end, where one statement writes all of them; until then a unit that fails is undone by `back`.
"""

from __future__ import annotations

from collections import Counter
from typing import TypeAlias

import apsw

from tidings.engine.sqlite.catalog import Catalog
from tidings.engine.sqlite.sql import SQL

LogRow: TypeAlias = tuple[int, int, bytes | None, int, bytes, bytes | None, int]
LOG_PUT, STAMP, TALLY = SQL["log_put"], SQL["stamp"], SQL["tally_add"]


class Turn:
    __slots__ = ("_stamp", "c", "catalog", "now", "pos", "rows", "stamp", "tally")

    def __init__(self, c: apsw.Connection, catalog: Catalog, now: int, pos: int, stamp: int) -> None:
        self.c, self.catalog, self.now = c, catalog, now
        self.pos = pos  # the offset of the next record
        self.stamp = self._stamp = stamp
        self.rows: list[LogRow] = []
        self.tally: Counter[tuple[str, str]] = Counter()

    def flush(self) -> None:
        """Write what was kept back."""
        if self.rows:
            self.c.executemany(LOG_PUT, self.rows)
            self.rows = []
        if self.stamp != self._stamp:
            self.c.execute(STAMP, (self.stamp,))
            self._stamp = self.stamp
        if self.tally:
            self.c.executemany(TALLY, [(*name, count) for name, count in self.tally.items()])
            self.tally = Counter()

    def mark(self) -> tuple[int, int, Counter[tuple[str, str]]]:
        return len(self.rows), self.pos, self.tally.copy()

    def back(self, mark: tuple[int, int, Counter[tuple[str, str]]]) -> None:
        """Forget what was kept back since the mark. A version of rows is never drawn again."""
        kept, self.pos, self.tally = mark
        del self.rows[kept:]
