"""What a unit writes, each in its table. Nothing here refuses; an error of SQLite makes the unit Failed."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from tidings.clock import MICRO
from tidings.engine.sqlite.seal import seal
from tidings.engine.sqlite.sql import SQL, row_of, value_of
from tidings.engine.sqlite.turn import Turn
from tidings.engine.unit import Address, Event, Once, Step, Unit, Value, Write

STEP, LINE, MARKS, MARKS_SET = SQL["step"], SQL["line"], SQL["marks"], SQL["marks_set"]
STREAM, STREAM_NEW, STREAM_END, STREAM_EVENT_PUT = (
    SQL["stream"],
    SQL["stream_new"],
    SQL["stream_end"],
    SQL["stream_event_put"],
)
_json = msgspec.json.Encoder().encode
GROWS = MICRO  # how long a line of the ledger grows before the next one begins, in microseconds


# ---- progress ----


def progress(turn: Turn, unit: Unit, began: Sequence[int]) -> None:
    """The line of the ledger grows in the progress row itself, so that a commit costs no row more; once a second of
    work it is written down."""
    c, tps, group, now = turn.c, turn.catalog.tps, unit.group, turn.now
    touched = {held.partition for held in unit.hold} | {part for part, _ in unit.finish}
    for step, since in zip(unit.steps, began, strict=True):
        tp = tps[step.partition.topic][step.partition.number]
        fresh = step.to != step.at and (not since or now - since > GROWS)
        if fresh and since:
            c.execute(LINE, (group, tp))
        c.execute(STEP, (group, tp, step.to, step.partition in touched, fresh, max(now, 1)))
        if step.marks:
            _marks(turn, group, tp, step)


def _marks(turn: Turn, group: str, tp: int, step: Step) -> None:
    old = value_of(turn.c, MARKS, (group, tp))
    marks = json.loads(old or "{}") | {m.source: m[1:] for m in step.marks}
    turn.c.execute(MARKS_SET, (group, tp, json.dumps(marks)))


# ---- rows ----


def rows(turn: Turn, writes: Sequence[Write]) -> int:
    """The version of all rows of this unit. Of two writes to one row the later counts."""
    turn.stamp += 1
    stamp = turn.stamp
    tables: dict[str, dict[str, Sequence[Value] | None]] = {}
    for write in writes:
        tables.setdefault(write.address.space, {})[write.address.key] = write.values
    for space, written in tables.items():
        table = turn.catalog.table(space)
        put = [(*values, stamp) for values in written.values() if values is not None]
        drop = [(key,) for key, values in written.items() if values is None]
        if drop:
            turn.c.executemany(table.drop, drop)
        if put:
            turn.c.executemany(table.put, put)
    return stamp


# ---- events ----


def append(turn: Turn, events: Sequence[Event]) -> bool:
    """Most units are nothing but events of topics: the shortest way for those. False, and nothing done, for others."""
    tps, now, flat = turn.catalog.tps, turn.now, turn.flat
    pos, before = turn.pos, len(flat)
    for e in events:
        topic = e.topic
        if topic is None or e.stream is not None:
            del flat[before:]
            return False
        tp, key, head, data = tps[topic][e.partition], e.key, e.head, e.data
        flat += (pos, tp, key, now, head, data, seal(pos, tp, now, key, head, data))
        pos += 1
    turn.pos = pos
    return True


def tell(turn: Turn, events: Sequence[Event]) -> Sequence[int | None]:
    """Draw the numbers; the offset of each event, None for a private one. Streams are written now, the log's rows are
    kept back for the whole transaction."""
    tps, now, put = turn.catalog.tps, turn.now, turn.flat.extend
    pos = turn.pos
    offsets: list[int | None] = []
    streams = False
    for e in events:
        if e.stream is not None:
            streams = True
        if e.topic is None:
            offsets.append(None)
            continue
        tp = tps[e.topic][e.partition]
        key, head, data = e.key, e.head, e.data
        put((pos, tp, key, now, head, data, seal(pos, tp, now, key, head, data)))
        offsets.append(pos)
        pos += 1
    turn.pos = pos
    if streams:
        _streams(turn, events, offsets)
    return offsets


def _streams(turn: Turn, events: Sequence[Event], offsets: Sequence[int | None]) -> None:
    c, now = turn.c, turn.now
    ends: dict[Address, list[int]] = {}
    found = []
    for e, pos in zip(events, offsets, strict=True):
        if e.stream is None:
            continue
        end = ends.get(e.stream)
        if end is None:
            end = ends[e.stream] = _stream(turn, e.stream)
        end[1] += 1
        no, version = end
        if e.version and e.version != version:
            raise ValueError(f"stream {e.stream.space}/{e.stream.key} is at {version - 1}, the event says {e.version}")
        found.append((no, version, e.id, now, e.head, e.data, pos, seal(no, version, now, e.id, e.head, e.data)))
    c.executemany(STREAM_EVENT_PUT, found)
    c.executemany(STREAM_END, ends.values())


def _stream(turn: Turn, address: Address) -> list[int]:
    row = row_of(turn.c, STREAM, address)
    if row is not None:
        return list(row)
    turn.c.execute(STREAM_NEW, address)
    return [turn.c.last_insert_rowid(), 0]


def once(turn: Turn, marks: Sequence[tuple[Once, int]], events: Sequence[Event], offsets: Sequence[int | None]) -> None:
    """`tells` counts from the first event of whoever told: the unit, or one of its transactional handlers."""
    for o, first in marks:
        which = [first + n for n in o.tells]
        told = receipt([events[n] for n in which], [offsets[n] for n in which])
        turn.c.execute(SQL["once_put"], (o.scope, o.id, o.memo, told, turn.now))


def receipt(events: Sequence[Event], offsets: Sequence[int | None]) -> str:
    """What to wait for: [[topic, partition, [offset, ...]], ...]."""
    places: dict[tuple[str | None, int], list[int]] = {}
    for e, offset in zip(events, offsets, strict=True):
        if offset is not None:
            part = e.topic, e.partition
            if part in places:
                places[part].append(offset)
            else:
                places[part] = [offset]
    return _json([(topic, number, found) for (topic, number), found in places.items()]).decode()


# ---- the rest ----


def rest(turn: Turn, unit: Unit) -> None:
    if unit.hold or unit.finish:
        _held(turn, unit)
    if unit.fired or unit.cancel or unit.timers:
        _timers(turn, unit)
    if unit.notes:
        tps = turn.catalog.tps
        found = [
            (unit.group, tps[n.partition.topic][n.partition.number], n.offset, n.outcome, n.text, turn.now)
            for n in unit.notes
        ]
        turn.c.executemany(SQL["note_put"], found)
    for name, count in unit.tally.items() if unit.tally else ():
        turn.tally[unit.group, name] += count


def _held(turn: Turn, unit: Unit) -> None:
    tps, group = turn.catalog.tps, unit.group
    found = []
    for h in unit.hold:
        tp = tps[h.partition.topic][h.partition.number]
        head = h.head
        crc = seal(h.offset, tp, h.time, h.key, head, h.data)
        found.append((group, tp, h.offset, h.time, h.key, head, h.data, h.due, h.attempt, h.error, crc))
    turn.c.executemany(SQL["held_put"], found)
    done = [(group, tps[p.topic][p.number], offset) for p, offset in unit.finish]
    turn.c.executemany(SQL["held_done"], done)


def _timers(turn: Turn, unit: Unit) -> None:
    tps, group = turn.catalog.tps, unit.group
    turn.c.executemany(SQL["timer_done"], [(group, name) for name in [t.name for t in unit.fired] + list(unit.cancel)])
    found = []
    for t in unit.timers:
        tp = tps[t.partition.topic][t.partition.number]
        crc = seal(t.due, tp, t.attempt, t.key, t.head, t.data)
        found.append((group, t.name, tp, t.due, t.key, t.head, t.data, t.attempt, crc))
    turn.c.executemany(SQL["timer_put"], found)
