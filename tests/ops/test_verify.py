"""`verify` finds what is planted. A check that finds nothing wrong in a wrong store proves nothing."""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path

import apsw
import pytest

from tests.ops.conftest import Opener, opener
from tests.ops.depot import Received, depot
from tidings import Key, Row, Service, System, Transaction, ops, settings
from tidings.domain.client import Client
from tidings.engine.unit import Event
from tidings.event.envelope import Head, pack
from tidings.event.identity import new_id
from tidings.system import open_runtime, work

pytestmark = pytest.mark.anyio


def by_id(verdict: ops.Verdict) -> dict[str, ops.Check]:
    return {c.id: c for c in verdict.checks}


async def test_a_sound_store_is_shown_to_be_sound(opened: Opener) -> None:
    async with opened() as running:
        for parcel, weight in (("a", 5), ("b", 500), ("c", 13)):
            await running.receive(parcel, weight)
        await running.client.wait_idle()
        titles: list[str] = []
        verdict = await ops.verify(running.engine, running.runtime, titles.append)
        checks = by_id(verdict)
        assert verdict.sound and {c.outcome for c in verdict.checks} == {"holds"}
        assert list(checks) == ["I5", "I6", "I8", "I12", "I14", "I18", "I19"] == [t.split()[0] for t in titles]
        assert all(c.looked_at > 0 for c in verdict.checks)
        assert checks["I12"].looked_at == 6 and checks["I8"].looked_at == 3
        assert any("parked in scale" in r for r in checks["I19"].remarks)


async def test_folds_are_not_shown_without_the_program(opened: Opener) -> None:
    async with opened() as running:
        await running.receive("a", 5)
        await running.client.wait_idle()
        check = by_id(await ops.verify(running.engine))["I8"]
        assert check.outcome == "not shown" and "--target" in check.remarks[0]


async def test_an_empty_store_shows_nothing(opened: Opener) -> None:
    async with opened(working=False) as running:
        verdict = await ops.verify(running.engine, running.runtime)
        assert verdict.sound and {c.outcome for c in verdict.checks} == {"not shown"}


async def test_what_is_under_way_is_not_called_at_rest(opened: Opener) -> None:
    async with opened(working=False) as running:
        await running.client.publish(Received(parcel="a", weight=1))
        await running.engine.store.claim("scale", "m", await ops.offsets(running.engine, ["parcel-events"], "start"))
        check = by_id(await ops.verify(running.engine))["I19"]
        assert check.outcome == "not shown" and check.remarks[0] == "1 event before scale"


async def test_the_history_of_a_reset_is_no_violation(opened: Opener) -> None:
    async with opened() as running:
        await running.receive("a", 5)
        await running.client.wait_idle()
        await ops.reset(running.runtime, "board.board", "start")
        await ops.reset(running.runtime, "scale", "start", "again")
        await running.client.wait_idle()
        verdict = await ops.verify(running.engine, running.runtime)
        assert verdict.sound, [c.violations for c in verdict.checks]


async def test_a_store_that_others_work_on_is_not_slandered(opened: Opener) -> None:
    async with opened() as running:
        stop = asyncio.Event()

        async def go_on() -> None:
            for n in count():
                if stop.is_set():
                    return
                await running.receive(f"{n % 7}/{n}", 5)
                if n % 10 == 9:
                    await ops.reset(running.runtime, "scale", "start", "again")

        working = asyncio.create_task(go_on())
        for _ in range(5):
            verdict = await ops.verify(running.engine, running.runtime)
            assert verdict.sound, [c.violations for c in verdict.checks]
        stop.set()
        await working


async def test_dropped_events_are_left_out_of_the_fold(tmp_path: Path) -> None:
    class Cell(Row, table="cells"):
        parcel: Key[str]
        weight: int

    picky = Service("picky")
    cells = picky.projection(Cell)

    @cells.on
    def put(event: Received) -> Cell:
        if event.weight == 13:
            raise ValueError("not this one")
        return Cell(parcel=event.parcel, weight=event.weight)

    system = System("picky", [picky])
    merged = settings.load({"store": f"sqlite:///{tmp_path / 'picky.db'}", "beat": 0.05}, {})
    async with open_runtime(system.program, merged) as runtime, work(runtime, merged, None, {}):
        client = Client(runtime)
        await client.publish(
            Received(parcel="a", weight=13), Received(parcel="a", weight=2), Received(parcel="b", weight=1)
        )
        await client.wait_idle()
        parked = by_id(await ops.verify(runtime.engine, runtime))["I8"]
        assert parked.outcome == "holds" and parked.looked_at == 1, "what is held was not folded"
        await ops.redrive(runtime.engine, "picky.cells", drop=True)
        await client.wait_idle()
        dropped = by_id(await ops.verify(runtime.engine, runtime))["I8"]
        assert dropped.outcome == "holds" and dropped.looked_at == 2


async def test_a_projection_in_its_own_sql_is_folded_again_too(tmp_path: Path) -> None:
    sums = Service("sums")
    made = sums.projection(ddl="create table per_parcel(parcel text primary key, kilos integer not null)")

    @made.on
    def add(event: Received, tx: Transaction) -> None:
        tx.execute(
            "insert into per_parcel values (:p, :w) on conflict do update set kilos = kilos + excluded.kilos",
            {"p": event.parcel, "w": event.weight},
        )

    system = System("sums", [sums])
    merged = settings.load({"store": f"sqlite:///{tmp_path / 'sums.db'}", "beat": 0.05}, {})
    async with open_runtime(system.program, merged) as runtime, work(runtime, merged, None, {}):
        client = Client(runtime)
        await client.publish(*(Received(parcel=p, weight=w) for p, w in (("a", 1), ("b", 2), ("a", 3))))
        await client.wait_idle()
        check = by_id(await ops.verify(runtime.engine, runtime))["I8"]
        assert check.outcome == "holds" and check.looked_at == 2, check
        done = await ops.reset(runtime, "sums.sql", "start")
        assert done.cleared == ["per_parcel"]
        await client.wait_idle()
        assert await runtime.engine.store.query("select parcel, kilos from per_parcel order by 1", {}) == [
            ("a", 4),
            ("b", 2),
        ]


@pytest.mark.parametrize(
    ("flow", "cause", "order", "words"),
    [
        ("mine", "first", 1, ""),
        ("mine", "first", -1, "lies before its cause"),
        ("other", "first", 1, "is of another flow than its cause"),
        ("mine", "nobody", 1, "is nowhere"),
        ("mine", "mine", 1, ""),  # as a schedule begins a flow
    ],
)
async def test_causes_are_followed(flow: str, cause: str, order: int, words: str, opened: Opener) -> None:
    ids = {name: new_id() for name in ("mine", "first", "nobody", "other")}
    first = Head(ids["first"], "Received", 1, 0, "s", ids["mine"], b"", 0)
    effect = Head(new_id(), "Received", 1, 0, "s", ids[flow], ids[cause], 0)
    async with opened(working=False) as running:
        heads = [first, effect][::order]
        await running.engine.log.send([Event("parcel-events", 0, b"k", h.id, pack(h), b"{}") for h in heads])
        check = by_id(await ops.verify(running.engine))["I14"]
    assert check.outcome == ("violated" if words else "holds"), check
    assert not words or words in check.violations[0]


# ---- planted -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which something of everything happened."""
    path = tmp_path_factory.mktemp("good") / "depot.db"

    async def fill() -> None:
        async with opener(f"sqlite:///{path}")() as running:
            for parcel, weight in (("a", 5), ("b", 500), ("d", 7)):
                await running.receive(parcel, weight)
            await running.client.wait_idle()

    asyncio.run(fill())
    return path


PLANTED: list[tuple[str, str, str]] = [
    (
        "I5",
        "update tidings_ledger set first = first + 1, next = next + 1 where id = (select max(id) from tidings_ledger)",
        "",
    ),
    ("I5", "update tidings_progress set next = next - 1, since = 0 where grp = 'desk' and next > 5", "stands at"),
    ("I6", "update tidings_ledger set epoch = 0 where id = (select max(id) from tidings_ledger)", "after epoch"),
    ("I6", "update tidings_ledger set member = 'zombie' where id = (select max(id) from tidings_ledger)", "zombie"),
    ("I6", "update tidings_progress set epoch = 0 where grp = 'desk'", "below one that it finished under"),
    ("I8", "update board set status = 'lost' where parcel = 'a'", "'lost'"),
    ("I8", "delete from board where parcel = 'a'", "a rebuild makes it"),
    ("I8", "insert into board values ('ghost', 'here', 1)", "a rebuild does not make it"),
    ("I12", "delete from tidings_stream_event where version = 1 and stream = 1", "stands at place 1"),
    ("I12", "update tidings_stream set version = 7 where key = 'a'", "at version 7 with 2 events"),
    ("I14", "delete from tidings_log where pos = 1", "is nowhere"),
    ("I18", "update tidings_log set data = cast(data || ' ' as blob) where pos = 2", "checksum"),
    ("I18", "update tidings_log set tp = tp + 1 where pos = 2", "checksum"),
    ("I18", "update tidings_stream_event set data = x'7b7d' where version = 2", "checksum"),
    ("I18", "update tidings_timer set due = due + 1", "checksum"),
    ("I19", "update saga_instances set status = 'stuck' where key = 'b'", "stuck"),
]


@pytest.mark.parametrize(("id", "sql", "words"), PLANTED, ids=[f"{n}-{p[0]}" for n, p in enumerate(PLANTED)])
async def test_planted_damage_is_found(id: str, sql: str, words: str, good: Path, tmp_path: Path) -> None:
    path = tmp_path / "depot.db"
    path.write_bytes(good.read_bytes())
    with_lines(path)
    change(path, sql)
    async with ops.look(f"sqlite:///{path}") as engine, ops.look_through(depot.program, engine) as runtime:
        verdict = await ops.verify(engine, runtime)
    check = by_id(verdict)[id]
    assert not verdict.sound and check.outcome == "violated", check
    assert check.count >= 1 and any(words in v for v in check.violations), check.violations


def with_lines(path: Path) -> None:
    """Two more lines in a group's ledger, as a second of work later would have written them."""
    change(
        path,
        "insert into tidings_ledger(grp, tp, first, next, epoch, member, time) "
        "select grp, tp, 0, next - 1, epoch, 'm', 1 from tidings_progress where grp = 'desk' and next > 5; "
        "insert into tidings_ledger(grp, tp, first, next, epoch, member, time) "
        "select grp, tp, next - 1, next, epoch, 'm', 2 from tidings_progress where grp = 'desk' and next > 5; "
        "delete from tidings_ledger where grp = 'desk' and member <> 'm'",
    )


def change(path: Path, sql: str) -> None:
    c = apsw.Connection(str(path))
    c.execute(sql)
    assert c.total_changes(), sql
    c.close()


async def test_the_store_without_damage_is_sound(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "depot.db"
    path.write_bytes(good.read_bytes())
    with_lines(path)
    async with ops.look(f"sqlite:///{path}") as engine, ops.look_through(depot.program, engine) as runtime:
        verdict = await ops.verify(engine, runtime)
    assert verdict.sound, [c.violations for c in verdict.checks]


async def test_a_flipped_byte_of_a_page_is_found(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "depot.db"
    data = bytearray(good.read_bytes())
    at = data.index(b'"weight":500')
    data[at + 10] ^= 1
    path.write_bytes(data)
    async with ops.look(f"sqlite:///{path}") as engine:
        check = by_id(await ops.verify(engine))["I18"]
    assert check.outcome == "violated" and "checksum" in check.violations[0]
