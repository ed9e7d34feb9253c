"""What every floor does by hand: the same log in SQLite, the same envelopes and ids, checksums over the same bytes.

Nothing here checks, fences, retries or wakes anybody: that is what a framework is paid for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from struct import Struct
from typing import Any
from zlib import crc32

import apsw
import msgspec

from tidings.event.envelope import Head
from tidings.event.partition import partition_of

SCHEMA = """
create table log(
  pos integer primary key, tp integer not null, key blob, time integer not null, head blob not null, data blob,
  crc integer not null) strict;
create table stream_event(
  stream integer not null, version integer not null, id blob not null, time integer not null, head blob not null,
  data blob, crc integer not null, primary key(stream, version)) strict, without rowid;
create table progress(grp text, tp integer, next integer, epoch integer, primary key(grp, tp)) without rowid;
"""
BEGIN, COMMIT = "begin immediate", "commit"
LAST = "select coalesce(max(pos), 0) from log"
APPEND = "insert into log values (?, ?, ?, ?, ?, ?, ?)"

encode = msgspec.json.Encoder().encode
pack = msgspec.msgpack.Encoder().encode
unpack = msgspec.msgpack.Decoder(Head).decode
_place = Struct("<qqqiii").pack
_halves, _tails = Struct(">QQ").pack, Struct(">256Q")
_drawn: list[int] = []


def opened(folder: Path) -> apsw.Connection:
    """A new file with the engine's own settings: WAL, FULL, pages of 4096 bytes, a checkpoint every 1,000 pages."""
    c = apsw.Connection(str(folder / "floor.db"), statementcachesize=512)
    c.execute("pragma journal_mode = wal")
    c.execute("pragma synchronous = full")
    c.execute(SCHEMA)
    c.wal_autocheckpoint(1000)
    return c


def rows(c: apsw.Connection, sql: str, values: Sequence[Any] = ()) -> Sequence[tuple[Any, ...]]:
    return c.execute(sql, values).fetchall()


def one(c: apsw.Connection, sql: str) -> Any:
    return rows(c, sql)[0][0]


def seal(pos: int, tp: int, at: int, key: bytes, head: bytes, data: bytes) -> int:
    return crc32(b"".join((_place(pos, tp, at, len(key), len(head), len(data)), key, head, data)))


def new_id(now: int) -> bytes:
    """A UUIDv7, its random bits drawn for many at once."""
    if not _drawn:
        _drawn.extend(_tails.unpack(os.urandom(_tails.size)))
    return _halves(now // 1000 << 16 | 0x7000, _drawn.pop() >> 2 | 1 << 63)


@lru_cache(1 << 16)
def place(key: bytes, partitions: int) -> int:
    """The partition of a key: its hash is as everybody's must be, and kept."""
    return partition_of(key, partitions)


def envelope(name: str, id: bytes, now: int, correlation: bytes, causation: bytes = b"") -> bytes:
    return pack(Head(id, name, 1, now, "floor", correlation, causation, 0))


def micro() -> int:
    return time.time_ns() // 1000


def append(c: apsw.Connection, told: Sequence[tuple[int, bytes, int, bytes, bytes]]) -> None:
    """Rows (tp, key, time, head, data) at the end of the log, inside a transaction."""
    pos = one(c, LAST)
    made = []
    for tp, key, now, head, data in told:
        pos += 1
        made.append((pos, tp, key, now, head, data, seal(pos, tp, now, key, head, data)))
    c.executemany(APPEND, made)
