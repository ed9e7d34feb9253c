"""A look at everything that is sealed, and at the file's own structure: sentences about what is broken.

Snapshots are left out: one that is damaged is passed over on reading, because the events tell.
"""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from tidings.engine.sqlite.catalog import read_catalog
from tidings.engine.sqlite.seal import seal
from tidings.engine.sqlite.sql import SQL

SHOWN = 100  # sentences


def damage(c: apsw.Connection) -> tuple[str, ...]:
    """Empty where the file is sound."""
    found: list[str] = []
    try:
        found += [str(row[0]) for row in c.execute(SQL["sound"]) if row[0] != "ok"]
        for sentence in _seals(c):
            found.append(sentence)
            if len(found) >= SHOWN:
                found.append("and perhaps more")
                break
    except (apsw.CorruptError, apsw.NotADBError) as error:
        found.append(f"the file cannot be read any further: {error}")
    return tuple(found)


def _seals(c: apsw.Connection) -> Iterator[str]:
    parts = read_catalog(c).parts

    def name(tp: int) -> str:
        return f"{parts[tp].topic}/{parts[tp].number}" if tp in parts else f"partition {tp}"

    for pos, tp, key, time, head, data, crc in c.execute(SQL["every_record"]):
        if seal(pos, tp, time, key, head, data) != crc:
            yield f"record {pos} of {name(tp)} does not match its checksum"
    for space, key, no, version, time, id, head, data, crc in c.execute(SQL["every_stream_event"]):
        if seal(no, version, time, id, head, data) != crc:
            yield f"version {version} of stream {space} {key} does not match its checksum"
    for group, tp, pos, time, key, head, data, crc in c.execute(SQL["every_held"]):
        if seal(pos, tp, time, key, head, data) != crc:
            yield f"held event {pos} of {group} on {name(tp)} does not match its checksum"
    for group, timer, tp, due, attempt, key, head, data, crc in c.execute(SQL["every_timer"]):
        if seal(due, tp, attempt, key, head, data) != crc:
            yield f"timer {timer} of {group} on {name(tp)} does not match its checksum"
