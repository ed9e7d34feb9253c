"""The checksum of a record: everything that is kept of it goes in, so that any flipped bit is noticed on reading.

CRC32 over its place (three numbers), the lengths of its parts, and the parts. The lengths tell None from b"", and
notice a boundary that moved. One call over joined bytes costs less than one call a part.
"""

from __future__ import annotations

from struct import Struct
from zlib import crc32

pack = Struct("<qqqiii").pack
join = b"".join


def seal(a: int, b: int, c: int, key: bytes | None, head: bytes, data: bytes | None) -> int:
    if key is None:
        if data is None:
            return crc32(join((pack(a, b, c, -1, len(head), -1), head)))
        return crc32(join((pack(a, b, c, -1, len(head), len(data)), head, data)))
    if data is None:
        return crc32(join((pack(a, b, c, len(key), len(head), -1), key, head)))
    return crc32(join((pack(a, b, c, len(key), len(head), len(data)), key, head, data)))
