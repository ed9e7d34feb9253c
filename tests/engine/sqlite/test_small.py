"""What else is promised in words: waking without watching, keys that are numbers, members that are long gone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.engine.sqlite.kit import P0, P1, event, fresh, kept, opened, tell
from tidings.clock import seconds
from tidings.engine.port import Table
from tidings.engine.sqlite import Sqlite, waking
from tidings.engine.unit import Address, Claim, Partition, Step, Unit, Write
from tidings.errors import Corrupt, SettingsError
from tidings.testing.clock import SteeredClock

pytestmark = pytest.mark.anyio


async def test_where_nothing_can_be_watched_commits_of_others_are_polled_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waking, "_inotify", lambda _: None)
    path = tmp_path / "x.db"
    async with fresh(path) as engine, opened(path) as other:
        assert engine.can.poll_floor == waking.POLL
        waiting = asyncio.ensure_future(other.store.changed(60.0))
        await tell(engine, event(1))
        await asyncio.wait_for(waiting, 30)
        first = await engine.log.join("g", ["t"], "a")
        assert len((await first.change()).gain) == 4
        changing = asyncio.ensure_future(first.change())
        second = await other.log.join("g", ["t"], "b")
        await second.change()
        assert len((await asyncio.wait_for(changing, 30)).drain) == 2


async def test_rows_whose_key_is_a_number_are_paged_in_the_order_of_its_text(tmp_path: Path) -> None:
    async with fresh(tmp_path / "x.db") as engine:
        await engine.store.tables([Table("n", [("id", "integer"), ("words", "text")])])
        await kept(engine, Unit(writes=[Write(Address("n", str(n)), [n, "w"]) for n in (1, 2, 10)]))
        first = await engine.store.page("n", "", 2)
        assert [row[0] for _, row in first] == [1, 10]
        assert [row[0] for _, row in await engine.store.page("n", "10", 2)] == [2]
        row = (await engine.store.rows([Address("n", "10")]))[0]
        assert row is not None and list(row[1]) == [10, "w"]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("text", ["12", "", "ü"]), ("integer", [0, -(2**63), 2**63 - 1]), ("real", [0.5, -1e300]),
        ("blob", [b"", b"\x00\xff"]), ("numeric", [5, 139.98]), ("json", ['{"a":1}']), ("boolean", [1, 0]),
        ("timestamp", [1_700_000_000_000_000, "2026-01-01T00:00:00Z", "2026"]),
    ],
)  # fmt: skip
async def test_values_come_back_as_they_were_given(tmp_path: Path, kind: str, values: list[Any]) -> None:
    async with fresh(tmp_path / "x.db") as engine:
        await engine.store.tables([Table("v", [("id", "text"), ("value", kind)])])
        for value in [*values, None]:
            await kept(engine, Unit(writes=[Write(Address("v", "a"), ["a", value])]))
            row = (await engine.store.rows([Address("v", "a")]))[0]
            assert row is not None and row[1][1] == value and type(row[1][1]) is type(value)


async def test_members_that_died_long_ago_are_swept_away(tmp_path: Path) -> None:
    path, clock = tmp_path / "x.db", SteeredClock()
    async with fresh(path, clock=clock) as engine:
        async with opened(path, clock=clock) as other:
            await other.log.join("g", ["t"], "gone")
        assert [s.member for s in await engine.log.members("g")] == ["gone"]
        clock.jump(seconds(2 * 3600.0))
        await engine.log.join("g", ["t"], "new")
        assert [s.member for s in await engine.log.members("g")] == ["new"]
        assert len(list((tmp_path / "x.db.members").iterdir())) == 1


async def test_settings_that_cannot_hold_are_refused(tmp_path: Path) -> None:
    for options, hint in [({"synchronous": "ful"}, "full"), ({"lease": 1.0, "beat": 1.0}, "lease")]:
        with pytest.raises(SettingsError) as caught:
            await Sqlite.open(str(tmp_path / "x.db"), **options)  # type: ignore[arg-type]
        assert hint in caught.value.hint
    assert not list(tmp_path.iterdir())


async def test_a_record_of_no_partition_is_told_once_and_blocks_nobody(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with fresh(path, 1) as engine:
        await tell(engine, event(1), event(2), event(3))
    c = apsw.Connection(str(path))
    c.execute("update tidings_log set tp = 77 where pos = 1")
    c.close()
    async with opened(path) as engine:
        reader = await engine.log.join("g", ["t"], "m")
        await reader.change()
        reader.start(await engine.store.claim("g", "m", {P0: 0}))
        assert [r.data for b in await reader.fetch(9) for r in b.records] == [b"1", b"3"]
        with pytest.raises(Corrupt) as caught:
            await reader.fetch(9)
        assert caught.value.offset == 1
        await tell(engine, event(4))
        assert [r.data for b in await reader.fetch(9) for r in b.records] == [b"4"]


async def test_lag_counts_each_partition_from_its_own_place(tmp_path: Path) -> None:
    async with fresh(tmp_path / "x.db") as engine:
        await tell(engine, *(event(n, n % 4) for n in range(100)))
        places = {Partition("t", n): n * 20 for n in range(4)}
        assert await engine.log.lag(places) == {
            p: sum(n % 4 == p.number for n in range(at, 100)) for p, at in places.items()
        }
        assert await engine.log.lag({P1: 1000}) == {P1: 0} and await engine.log.lag({}) == {}


async def test_a_line_of_the_ledger_grows_for_a_second_and_none_is_lost(tmp_path: Path) -> None:
    clock = SteeredClock()
    async with fresh(tmp_path / "x.db", clock=clock) as engine:

        async def step(claim: Claim, at: int, to: int) -> None:
            await kept(engine, Unit("g", [Step(P0, claim.epoch, claim.held_gen, at, to)]))

        claim = (await engine.store.claim("g", "a", {P0: 0}))[0]
        for n in range(6):
            await step(claim, n, n + 1)
            clock.jump(seconds(0.4))
        lines = [line for _, line in await engine.store.ledger("g", 0, 9)]
        assert [(line.first, line.next, line.member) for line in lines] == [(0, 3, "a")], "the second one still grows"
        assert [(h.first, h.next) for h in await engine.store.handled(P0, 5)] == [(3, 6)]
        await engine.store.release([claim])
        assert [h.member for n in range(6) for h in await engine.store.handled(P0, n)] == ["a"] * 6
        claim = (await engine.store.claim("g", "b", {P0: 0}))[0]
        await step(claim, 6, 7)
        claim = (await engine.store.claim("g", "c", {P0: 0}))[0]
        await step(claim, 7, 8)
        await engine.store.move("g", {P0: 0})
        assert [h.member for n in range(8) for h in await engine.store.handled(P0, n)] == [*"aaaaaabc"]
        await engine.store.remove("g")
        assert [h.member for n in range(8) for h in await engine.store.handled(P0, n)] == [*"aaaaaabc"]
        lines = [line for _, line in await engine.store.ledger("g", 0, 9)]
        assert [(line.first, line.next, line.member) for line in lines] == [
            (0, 3, "a"), (3, 6, "a"), (6, 7, "b"), (7, 8, "c"),
        ]  # fmt: skip
