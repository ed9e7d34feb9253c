"""The loop's own connection: short reads, each of them a snapshot of its own.

It sees every commit that was answered before. A handle on which the disk failed is thrown away and opened anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import apsw

from tidings.engine.port import Topic
from tidings.engine.sqlite.catalog import Catalog, RowTable, read_catalog
from tidings.engine.sqlite.sql import SQL, rows_of, value_of
from tidings.engine.sqlite.translate import translated
from tidings.engine.unit import Partition
from tidings.errors import Closed, Refused


class Reads:
    def __init__(self, path: str, connect: Callable[[], apsw.Connection]) -> None:
        self._path, self._connect = path, connect
        self._c: apsw.Connection | None = None
        self._closed = False
        self.catalog = Catalog(-1)

    def all(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._handle().execute(sql, values).fetchall()
        except apsw.Error as error:
            raise self._refused(error) from error

    @contextmanager
    def snapshot(self) -> Iterator[apsw.Connection]:
        """Several statements that see the same commits."""
        try:
            c = self._handle()
            c.execute(SQL["read"])
            try:
                yield c
            finally:
                if c.in_transaction:
                    c.execute(SQL["commit"])
        except apsw.Error as error:
            raise self._refused(error) from error

    def _handle(self) -> apsw.Connection:
        if self._closed:
            raise Closed("the engine is closed", hint="open another one with `open_engine`")
        if self._c is None:
            self._c = self._connect()
        return self._c

    def _refused(self, error: apsw.Error) -> BaseException:
        if isinstance(error, (apsw.IOError, apsw.CorruptError)):
            self._drop_handle()
        return translated(error, self._path)

    def _drop_handle(self) -> None:
        if self._c is not None:
            c, self._c = self._c, None
            c.close(True)

    def close(self) -> None:
        self._closed = True
        self._drop_handle()

    def first_at(self, time: int) -> int:
        """The first offset recorded at `time` or later, by halving: times rise with offsets."""
        with self.snapshot() as c:
            low, high = 0, int(value_of(c, SQL["next"]))
            while low < high:
                middle = (low + high) // 2
                found = rows_of(c, SQL["log_after"], (middle,))
                if found and found[0][1] < time:
                    low = int(found[0][0]) + 1
                else:
                    high = middle
        return low

    # ---- what is declared ----

    def refresh(self) -> Catalog:
        with self.snapshot() as c:
            self.catalog = read_catalog(c)
        return self.catalog

    def parts(self) -> Mapping[int, Partition]:
        """By tp, as it stands in the file now."""
        return self.refresh().parts

    def tp(self, partition: Partition) -> int:
        try:
            return self.catalog.tp(partition)
        except Refused:
            return self.refresh().tp(partition)

    def topic(self, name: str) -> Topic:
        try:
            return self.catalog.topic(name)
        except Refused:
            return self.refresh().topic(name)

    def table(self, name: str) -> RowTable:
        try:
            return self.catalog.table(name)
        except Refused:
            return self.refresh().table(name)
