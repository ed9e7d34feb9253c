"""What the engine knows of its server, for people."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import psycopg

from tidings.engine.postgres.core import Core
from tidings.engine.postgres.migrate import version
from tidings.engine.postgres.seal import seal

SHOWN = 100  # sentences
PAGE = 5_000  # records of one look


async def facts(core: Core, *, thorough: bool = False) -> Mapping[str, Any]:
    """`holder`: who holds every reader of the server back: a transaction that has written and has not ended."""
    began = time.monotonic()
    await core.all("clock")
    trip = time.monotonic() - began
    server, database, schema, size, records, streams, once, checksums = (await core.all("facts"))[0]
    async with core.pool.one() as c:
        layout = await version(c)
    found: dict[str, Any] = {
        "engine": "postgres",
        "server": server.split(" on ")[0],
        "driver": psycopg.__version__,
        "database": database,
        "schema": schema,
        "layout": layout,
        "bytes": size,
        "records": records,
        "streams": streams,
        "once_marks": once,
        "page_checksums": checksums,
        "trip_seconds": round(trip, 6),
        "once_seconds": core.ages.once,
        "poll_floor": core.poll_floor,
        "holder": await _holder(core),
    }
    return found | ({"damage": await _damage(core)} if thorough else {})


async def _holder(core: Core) -> str | None:
    for pid, base, user, program, age in await core.all("holder"):
        return f"process {pid} of the server ({user}, database {base}, {program or 'no name'}) for {age:.1f} s"
    for gid, base, age in await core.all("prepared"):
        return f"the prepared transaction {gid!r} in database {base} for {age:.1f} s"
    return None


async def _damage(core: Core) -> tuple[str, ...]:
    found: list[str] = []
    async for sentence in _seals(core):
        found.append(sentence)
        if len(found) >= SHOWN:
            found.append("and perhaps more")
            break
    return tuple(found)


async def _seals(core: Core) -> AsyncIterator[str]:
    """Snapshots are left out: one that is damaged is passed over on reading, because the events tell."""
    parts = (await core.refresh()).parts

    def name(tp: int) -> str:
        return f"{parts[tp].topic}/{parts[tp].number}" if tp in parts else f"partition {tp}"

    after = -1
    while rows := await core.all("every_record", after=after, limit=PAGE):
        for pos, tp, key, moment, head, data, crc in rows:
            if seal(0, tp, moment, key, head, data) != crc:
                yield f"record {pos} of {name(tp)} does not match its checksum"
        after = rows[-1][0]
    stream, at = 0, 0
    while rows := await core.all("every_stream_event", stream=stream, version=at, limit=PAGE):
        for space, key, _, number, moment, id, head, data, crc in rows:
            if seal(0, 0, moment, id, head, data) != crc:
                yield f"version {number} of stream {space} {key} does not match its checksum"
        stream, at = rows[-1][2], rows[-1][3]
    for group, tp, pos, moment, key, head, data, crc in await core.all("every_held"):
        if seal(pos, tp, moment, key, head, data) != crc:
            yield f"held event {pos} of {group} on {name(tp)} does not match its checksum"
    for group, timer, tp, due, attempt, key, head, data, crc in await core.all("every_timer"):
        if seal(due, tp, attempt, key, head, data) != crc:
            yield f"timer {timer} of {group} on {name(tp)} does not match its checksum"
