"""I18: a flip of any bit of what is kept is reported, and what was flipped is never served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.engine.sqlite.kit import P0, P1, all_data, event, fresh, kept, opened, tell
from tidings.engine.port import Topic
from tidings.engine.unit import Address, Event, Held, Partition, Snapshot, Step, Timer, Unit
from tidings.errors import Corrupt, EngineError

pytestmark = pytest.mark.anyio
ORDER = Address("order", "1")
MARKER = b"a marker that is nowhere else in the file"


def change(path: Path, sql: str) -> None:
    """What a bad disk does, through the front door. Only while nobody has the file open."""
    c = apsw.Connection(str(path))
    c.execute(sql)
    assert c.changes() == 1
    c.close()


async def fill(path: Path) -> None:
    async with fresh(path) as engine:
        await tell(engine, event(1), event(2), event(3, 1), event(4), event(5, 2))


# ---- records of the log --------------------------------------------------------------------------------------------

FIELDS = [
    "key = x'6c'", "key = null", "key = x''", "time = time + 1", "time = time + (1 << 40)", "head = x'68656164ff'",
    "head = x''", "data = x'33'", "data = null", "data = x''", "crc = crc + 1", "crc = 0",
    "tp = (select max(tp) from tidings_part)",
    "tp = 99", "tp = tp + 65536", "pos = 77", "pos = pos + (1 << 33)", "key = x'6b6865', head = x'6164'",
]  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
async def test_i18_a_change_of_any_field_is_reported_and_never_served(tmp_path: Path, field: str) -> None:
    path = tmp_path / "x.db"
    await fill(path)
    change(path, f"update tidings_log set {field} where pos = 1")
    async with opened(path) as engine:
        served, reported = [], 0
        for number in range(4):
            start = {Partition("t", number): 0}
            try:
                while batches := await engine.log.read(start, 1):
                    served += [r.data for b in batches for r in b.records]
                    start = {b.partition: b.next for b in batches}
            except Corrupt as corrupt:
                reported += 1
                assert corrupt.hint
        assert reported == 1 or (reported == 0 and "tp = " in field), "a partition that nobody reads is told below"
        assert set(served) <= {b"1", b"3", b"4", b"5"}, "event 2 is the damaged one"
        found = (await engine.facts(thorough=True))["damage"]
        assert any("checksum" in sentence for sentence in found), "a thorough look finds it wherever it went"


async def test_i18_other_partitions_flow_and_what_lies_before_is_served(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    await fill(path)
    change(path, "update tidings_log set data = x'00' where pos = 1")
    async with opened(path) as engine:
        reader = await engine.log.join("g", ["t"], "m")
        gain = (await reader.change()).gain
        reader.start(await engine.store.claim("g", "m", dict.fromkeys(sorted(gain), 0)))
        batches = await reader.fetch(500)
        assert [(r.offset, r.data) for b in batches for r in b.records] == [(0, b"1"), (2, b"3"), (4, b"5")]
        assert {b.partition: b.next for b in batches}[P0] == 1, "progress stops in front of it"
        with pytest.raises(Corrupt) as caught:
            await reader.fetch(500)
        assert (caught.value.topic, caught.value.partition, caught.value.offset) == ("t", 0, 1)
        await tell(engine, event(6, 1), event(7))
        assert [r.data for b in await reader.fetch(500) for r in b.records] == [b"6"], "others flow"
        claim = (await engine.store.claim("g", "m", {P0: 0}))[0]
        reader.start([claim])
        assert [r.data for b in await reader.fetch(500) for r in b.records] == [b"1"]
        with pytest.raises(Corrupt):
            await reader.fetch(500)
        rest = await engine.log.read({P0: 2}, 100)
        assert [r.data for b in rest for r in b.records] == [b"4", b"7"], "one may look behind it"


async def test_i18_every_byte_of_a_record_in_the_file_counts(tmp_path: Path) -> None:
    """Each byte of the cell is flipped in turn: the record's length, its number, its header, its fields."""
    path = tmp_path / "x.db"
    async with fresh(path, 1) as engine:
        await tell(engine, event(1), Event("t", 0, b"key", b"i" * 16, b"head", MARKER), event(3))
    clean = path.read_bytes()
    assert clean.count(MARKER) == 1, "the WAL was copied when the last one closed"
    begin = clean.index(MARKER)
    start = clean.index(b"key", begin - 40)
    for place in range(start - 14, begin + len(MARKER) + 4):
        flipped = bytearray(clean)
        flipped[place] ^= 0x41
        path.write_bytes(flipped)
        for beside in ("-wal", "-shm"):
            path.with_name(path.name + beside).unlink(missing_ok=True)
        assert await outcome(path) in ("reported", "untouched"), (
            f"byte {place - start} of the record was served flipped"
        )


async def outcome(path: Path) -> str:
    try:
        async with opened(path) as engine:
            found = [r for b in await engine.log.read({Partition("t", 0): 0}, 100) for r in b.records]
            if len(found) < 3:
                await engine.log.read({Partition("t", 0): found[-1].offset + 1 if found else 0}, 100)
                return "lost"
    except EngineError:
        return "reported"
    whole = [(0, b"k", b"head", b"1"), (1, b"key", b"head", MARKER), (2, b"k", b"head", b"3")]
    return "untouched" if [(r.offset, r.key, r.head, r.data) for r in found] == whole else "served"


async def test_i18_a_number_out_of_order_hides_nothing_of_others(tmp_path: Path) -> None:
    """The number of a record says 64 after a flip; whoever believed it would go on behind 64."""
    path = tmp_path / "x.db"
    async with fresh(path, 2) as engine:
        await tell(engine, event(0), Event("t", 0, b"key", b"i" * 16, b"head", MARKER), event(2, 1), event(3, 1))
    flipped = bytearray(path.read_bytes())
    for place in range(flipped.index(MARKER) - 12, flipped.index(MARKER) - 40, -1):
        flipped[place] ^= 0x41
        path.write_bytes(flipped)
        if numbers(path) == [0, 64, 2, 3]:
            break
        flipped[place] ^= 0x41
    assert numbers(path) == [0, 64, 2, 3]
    async with opened(path) as engine:
        reader = await engine.log.join("g", ["t"], "m")
        await reader.change()
        reader.start(await engine.store.claim("g", "m", {P0: 0, P1: 0}))
        heard: list[int] = []
        reported = 0
        while len(heard) < 3:
            try:
                heard += [int(r.data or b"") for b in await reader.fetch(2) for r in b.records]
            except Corrupt:
                reported += 1
        assert heard == [0, 2, 3] and reported == 1


def numbers(path: Path) -> list[int]:
    c = apsw.Connection(str(path))
    try:
        return [pos for (pos,) in c.execute("select pos from tidings_log order by pos")]
    except apsw.Error:
        return []
    finally:
        c.close()


async def test_i18_a_topic_declared_later_is_not_taken_for_damage(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with fresh(path) as engine, opened(path) as other:
        reader = await engine.log.join("g", ["t"], "m")
        gain = (await reader.change()).gain
        reader.start(await engine.store.claim("g", "m", dict.fromkeys(sorted(gain), 0)))
        await other.log.declare([Topic("u", 2)])
        await tell(other, event(1, topic="u"), event(2))
        assert [r.data for b in await reader.fetch(500) for r in b.records] == [b"2"]


# ---- what else is sealed -------------------------------------------------------------------------------------------


async def keep_all(path: Path) -> None:
    async with fresh(path) as engine:
        claim = (await engine.store.claim("g", "m", {P0: 0}))[0]
        unit = Unit(
            "g", [Step(P0, claim.epoch, claim.held_gen, 0, 9)],
            events=[Event("t", 1, b"1", bytes([n]) * 16, b"head", b"%d" % n, ORDER, n) for n in (1, 2, 3)],
            hold=[Held(P0, 3, 1, b"k", b"head", b"3", None), Held(P0, 5, 1, b"l", b"head", b"5", None)],
            timers=[Timer(P0, "x", 100, b"k", b"head", b"data")],
        )  # fmt: skip
        await kept(engine, unit)
        await engine.store.keep([Snapshot(ORDER, 2, "v1", b"state")])


@pytest.mark.parametrize(
    "field", ["head = x'00'", "data = null", "id = x'01'", "time = time + 1", "crc = 7", "version = 9"]
)
async def test_i18_an_event_of_a_stream_is_checked(tmp_path: Path, field: str) -> None:
    path = tmp_path / "x.db"
    await keep_all(path)
    change(path, f"update tidings_stream_event set {field} where version = 3")
    async with opened(path) as engine:
        try:
            history = (await engine.store.load([ORDER]))[0]
        except Corrupt as corrupt:
            assert "order" in corrupt.topic
        else:
            assert field == "version = 9", "it is missing, which the version of the stream tells"
            assert history.version == 3 and [s.version for s in history.events] == [1, 2]
        assert [s.version for s in (await engine.store.load([ORDER], to=2))[0].events] == [1, 2]


@pytest.mark.parametrize("field", ["head = x'00'", "data = null", "key = x'00'", "time = 2", "crc = 7"])
async def test_i18_a_held_event_is_checked(tmp_path: Path, field: str) -> None:
    path = tmp_path / "x.db"
    await keep_all(path)
    change(path, f"update tidings_held set {field} where pos = 3")
    async with opened(path) as engine:
        claims = await engine.store.claim("g", "m", {P0: 0})
        with pytest.raises(Corrupt) as caught:
            await engine.store.held(claims, None, 9)
        assert (caught.value.topic, caught.value.partition, caught.value.offset) == ("t", 0, 3)


@pytest.mark.parametrize("field", ["head = x'00'", "data = null", "key = x'00'", "due = 2", "attempt = 9"])
async def test_i18_a_timer_is_checked(tmp_path: Path, field: str) -> None:
    path = tmp_path / "x.db"
    await keep_all(path)
    change(path, f"update tidings_timer set {field}")
    async with opened(path) as engine:
        with pytest.raises(Corrupt):
            await engine.store.timers(await engine.store.claim("g", "m", {P0: 0}), 9)


async def test_i18_a_damaged_snapshot_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    await keep_all(path)
    change(path, "update tidings_snapshot set data = x'00'")
    async with opened(path) as engine:
        history = (await engine.store.load([ORDER], "v1"))[0]
        assert history.snapshot is None and len(history.events) == 3


async def test_a_page_that_cannot_be_read_is_said_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with fresh(path, 1) as engine:
        await tell(engine, *(event(n, size=500) for n in range(100)))
    page = path.read_bytes().index(b"99" + b"." * 500) // 4096
    flipped = bytearray(path.read_bytes())
    flipped[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(flipped)
    async with opened(path) as engine:
        with pytest.raises(EngineError) as caught:
            await all_data(engine, Partition("t", 0))
        assert "damaged" in str(caught.value) and "backup" in caught.value.hint
        damage: Any = (await engine.facts(thorough=True))["damage"]
        assert damage
