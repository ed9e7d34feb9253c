from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.ops.conftest import Opener, opener, until
from tests.ops.depot import Receive, Received
from tidings import ops
from tidings.clock import days, seconds
from tidings.engine import open_engine
from tidings.engine.port import Topic
from tidings.engine.unit import Committed, Event, Held, Partition, Step, Timer, Unit
from tidings.errors import Refused, SettingsError
from tidings.settings import Settings
from tidings.testing.clock import SteeredClock

pytestmark = pytest.mark.anyio


async def test_a_paused_group_stands_and_goes_on_where_it_stood(opened: Opener) -> None:
    async with opened() as depot:
        await depot.receive("a", 1)
        await depot.client.wait_idle()
        assert len(await ops.pause(depot.engine, "carrier", "no van")) == 8
        assert await ops.pause(depot.engine, "carrier") == [], "it is paused already"
        await depot.receive("b", 1)
        carrier = await depot.group("carrier")
        assert (carrier.state, carrier.partitions[0].paused) == ("paused", "operator: no van")
        assert len(await ops.resume(depot.engine, "carrier")) == 8
        await depot.client.wait_idle()
        assert (await depot.group("carrier")).counts["handled"] == 2
        done = await ops.deeds(depot.engine, 2)
        assert [(d.act, d.group) for d in done] == [("resume", "carrier"), ("pause", "carrier")]
        assert all(d.who and json.loads(bytes(d.detail))["partitions"] for d in done)
        assert (await ops.doctor(depot.engine, Settings())).deeds[:2] == done


# ---- reset ---------------------------------------------------------------------------------------------------------


async def test_a_projection_is_emptied_and_built_again_from_its_start(opened: Opener) -> None:
    async with opened() as depot:
        for parcel in ("a", "b"):
            await depot.receive(parcel, 1)
        await depot.client.wait_idle()
        before = [values for _, values in await depot.engine.store.page("board", "", 10)]
        planned = await ops.reset(depot.runtime, "board.board", "start", dry_run=True)
        assert (planned.done, planned.projection, planned.cleared, planned.again) == (False, True, ["board"], 4)
        assert (await depot.group("board.board")).counts["handled"] == 4, "a dry run does nothing"
        done = await ops.reset(depot.runtime, "board.board", "start")
        assert done.done
        await depot.client.wait_idle()
        assert (await depot.group("board.board")).counts["handled"] == 8
        assert [values for _, values in await depot.engine.store.page("board", "", 10)] == before
        act = (await depot.engine.store.acts(1))[0]
        assert act.act == "reset" and json.loads(act.detail)["clear"] == ["board"]


async def test_a_projection_goes_nowhere_but_to_its_start(opened: Opener) -> None:
    async with opened() as depot:
        await depot.receive("a", 1)
        await depot.client.wait_idle()
        for place in ("end", 3, seconds(60)):
            with pytest.raises(Refused, match="only to its start"):
                await ops.reset(depot.runtime, "board.board", place)


async def test_any_other_group_goes_back_only_when_its_effects_are_chosen(opened: Opener) -> None:
    async with opened() as depot:
        await depot.receive("a", 1)
        await depot.client.wait_idle()
        with pytest.raises(Refused, match="shall their effects happen again"):
            await ops.reset(depot.runtime, "carrier", "start")
        assert (await depot.group("carrier")).counts["handled"] == 1


async def test_h32_a_muted_replay_keeps_rows_and_tells_nothing(opened: Opener) -> None:
    async with opened() as depot:
        await depot.receive("a", 1)
        await depot.client.wait_idle()
        told = sum(t.records for t in await ops.topics(depot.engine))
        await ops.reset(depot.runtime, "carrier", "start", "muted")
        await depot.client.wait_idle()
        assert (await depot.group("carrier")).counts["muted"] == 1
        assert sum(t.records for t in await ops.topics(depot.engine)) == told
        await depot.receive("b", 1)
        await depot.client.wait_idle()
        assert sum(t.records for t in await ops.topics(depot.engine)) == told + 6, "what is new tells as ever"


async def test_effects_happen_again_where_that_was_chosen(opened: Opener) -> None:
    async with opened() as depot:
        await depot.receive("a", 1)
        await depot.client.wait_idle()
        shipped = next(t.records for t in await ops.topics(depot.engine) if t.topic == "parcel-events")
        await ops.reset(depot.runtime, "carrier", "start", "again")
        await depot.client.wait_idle()
        assert next(t.records for t in await ops.topics(depot.engine) if t.topic == "parcel-events") == shipped + 1


async def test_going_forward_needs_no_choice(opened: Opener) -> None:
    async with opened(working=False) as depot:
        await depot.client.send(Receive(parcel="a", weight=1))
        await depot.engine.store.claim("counter", "m", {Partition("counter.commands", n): 0 for n in range(8)})
        done = await ops.reset(depot.runtime, "counter", "end")
        assert done.again == -1 and (await depot.group("counter")).lag == 0


# ---- what retention took -------------------------------------------------------------------------------------------


async def test_loss_by_retention_is_accepted_only_in_words() -> None:
    clock = SteeredClock(datetime(2026, 1, 1, tzinfo=UTC))
    engine = await open_engine("memory:", clock=clock)
    part = Partition("t", 0)
    await engine.log.declare([Topic("t", 1, keep=86400.0)])
    await engine.store.claim("g", "m", {part: 0})
    await engine.log.send([Event("t", 0, b"k", bytes([n]) * 16, b"", None) for n in range(3)])
    clock.jump(days(2))
    await engine.log.send([Event("t", 0, b"k", b"x" * 16, b"", None)])
    assert await engine.log.sweep(100) == 3
    (state,) = await ops.groups(engine, "g")
    assert (state.status, state.state) == ("act", "paused")
    with pytest.raises(Refused, match=r"lost events to retention: t/0, truncated: 0\.\.2") as refused:
        await ops.resume(engine, "g")
    assert "--accept-loss" in refused.value.hint
    assert await ops.pause(engine, "g") == [], "a pause must not hide the loss"
    assert await ops.resume(engine, "g", accept_loss=True) == [part]
    (row,) = await engine.store.progress("g")
    assert (row.next, row.paused) == (3, None)
    await engine.close()


async def test_what_is_held_and_what_waits_survives_an_accepted_loss() -> None:
    clock = SteeredClock(datetime(2026, 1, 1, tzinfo=UTC))
    engine = await open_engine("memory:", clock=clock)
    part = Partition("t", 0)
    await engine.log.declare([Topic("t", 1, keep=86400.0)])
    (claim,) = await engine.store.claim("g", "m", {part: 0})
    await engine.log.send([Event("t", 0, b"k", bytes([n]) * 16, b"", None) for n in range(3)])
    kept = Held(part, 0, 1, b"k", b"", None, None)
    waits = Timer(part, "later", clock.now() + 1, b"k", b"", None)
    step = Step(part, claim.epoch, 0, 0, 1)
    assert isinstance((await engine.store.commit([Unit("g", [step], hold=[kept], timers=[waits])]))[0], Committed)
    clock.jump(days(2))
    await engine.log.sweep(100)
    await ops.resume(engine, "g", accept_loss=True)
    (row,) = await engine.store.progress("g")
    assert (row.next, row.paused, row.held, row.parked, row.owner) == (3, None, 1, 1, "")
    assert await engine.store.timers([claim], 10) == [waits]
    (note,) = await engine.store.notes("g", 10)
    assert (note.outcome, note.offset) == ("dropped", 1) and "an operator accepted it" in note.text
    await engine.close()


async def test_a_damaged_event_is_passed_only_when_that_is_accepted(tmp_path: Path) -> None:
    import apsw

    url, path = f"sqlite:///{tmp_path / 'depot.db'}", tmp_path / "depot.db"
    async with opener(url)(working=False) as depot:
        await depot.client.publish(*(Received(parcel="a", weight=w) for w in (1, 2, 3)))
    c = apsw.Connection(str(path))
    c.execute("update tidings_log set time = time + 1 where pos = 1")
    c.close()

    async with opener(url)() as depot:

        async def paused() -> bool:
            return "scale" in {g.group for g in await ops.groups(depot.engine) if g.state == "paused"}

        await until(paused, depot.engine)
        with pytest.raises(Refused, match=r"lost events to damage: .*checksum"):
            await ops.resume(depot.engine, "scale")
        await ops.resume(depot.engine, "scale", accept_loss=True)

        async def done() -> bool:
            return (await depot.group("scale")).counts.get("handled") == 2

        await until(done, depot.engine)
        assert (await depot.engine.store.page("weights", "", 10))[0][1] == ("a", 3)


async def test_a_group_that_runs_is_not_removed(opened: Opener) -> None:
    async with opened() as depot:
        await depot.receive("a", 1)
        with pytest.raises(Refused, match="is running"):
            await ops.remove(depot.engine, "carrier")


async def test_a_removed_group_is_gone(opened: Opener) -> None:
    async with opened(working=False) as depot:
        await depot.engine.store.claim("old", "m", {Partition("counter.commands", 0): 0})
        assert await ops.remove(depot.engine, "old") == 1
        assert await ops.groups(depot.engine) == []


# ---- places --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("start", "start"),
        ("end", "end"),
        ("42", 42),
        ("90s", seconds(90)),
        ("1.5h", seconds(5400)),
        ("7d", days(7)),
        ("2026-03-01T12:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01 12:00:00+00:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
    ],
)
async def test_places_are_read_as_people_write_them(text: str, place: ops.Place) -> None:
    assert ops.read_place(text) == place


@pytest.mark.parametrize("text", ["", "yesterday", "-1", "2026-03-01T12:00", "1w", "9" * 30, "٣", "1e3", "start end"])
async def test_what_is_no_place_is_refused_with_examples(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        ops.read_place(text)
    assert refused.value.hint


async def test_places_become_offsets_within_what_is_left(opened: Opener) -> None:
    async with opened() as depot:
        await depot.receive("a", 1)
        await depot.client.wait_idle()
        topics = ["parcel-events"]
        end = (await ops.offsets(depot.engine, topics, "end"))[Partition("parcel-events", 0)]
        assert set((await ops.offsets(depot.engine, topics, "start")).values()) == {0}
        assert set((await ops.offsets(depot.engine, topics, end + 1000)).values()) == {end}
        yesterday = await ops.offsets(depot.engine, topics, days(1))
        assert sum((await depot.engine.log.lag(yesterday)).values()) == 2, "everything is younger"
        ahead = datetime(9000, 1, 1, tzinfo=UTC)
        assert set((await ops.offsets(depot.engine, topics, ahead)).values()) == {end}
