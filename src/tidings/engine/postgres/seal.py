"""The checksum of a record: CRC32 over its numbers, the lengths of its parts, and the parts, made by who writes it.

The position of a record and the version of an event are drawn on the server, after the checksum was made: they are
not in it. Each is the primary key, which the server's own index checks (`data_checksums` covers its pages).
"""

from __future__ import annotations

from struct import Struct
from zlib import crc32

pack = Struct("<qqqiii").pack
join = b"".join


def seal(a: int, b: int, c: int, key: bytes | None, head: bytes, data: bytes | None) -> int:
    lengths = (-1 if key is None else len(key), len(head), -1 if data is None else len(data))
    return crc32(join((pack(a, b, c, *lengths), key or b"", head, data or b"")))
