from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.ops.conftest import Opener
from tidings import ops, settings
from tidings.clock import days, hours
from tidings.engine import open_engine
from tidings.engine.port import Topic
from tidings.engine.unit import Event, Partition
from tidings.settings import Settings
from tidings.testing.clock import SteeredClock

pytestmark = pytest.mark.anyio


def found(diagnosis: ops.Diagnosis) -> dict[str, ops.Finding]:
    return {f.about: f for f in diagnosis.findings}


async def test_a_healthy_store_has_only_things_that_are_well(opened: Opener) -> None:
    async with opened() as depot:
        await depot.receive("a", 1)
        await depot.client.wait_idle()
        diagnosis = await ops.doctor(depot.engine, Settings())
        assert diagnosis.health == "ok", diagnosis.findings
        told = found(diagnosis)
        assert told["members"].value == "1 alive" and told["lag"].value == "0 events"
        assert {"tidings", "python", "held", "duplicate marks"} <= told.keys()


async def test_the_file_is_looked_at(tmp_path: Path) -> None:
    engine = await open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    told = found(await ops.doctor(engine, Settings()))
    assert {"sqlite", "layout", "file", "pages", "wal", "fsync", "write lock"} <= told.keys()
    assert told["write lock"].value == "free" and told["fsync"].value.endswith("ms")
    await engine.close()


async def test_what_needs_somebody_is_told_with_what_to_do(opened: Opener) -> None:
    async with opened() as depot:
        await depot.receive("c", 13)
        await depot.client.wait_idle()
        diagnosis = await ops.doctor(depot.engine, Settings())
        assert diagnosis.health == "look"
        told = found(diagnosis)
        assert "scale: 1 event parked" in told["group"].value and told["group"].hint == "tidings groups scale"
        assert "the oldest recorded" in told["held"].value


async def test_a_cap_on_held_events_is_told_before_and_when_it_is_reached(opened: Opener) -> None:
    async with opened() as depot:
        await depot.receive("c", 13)
        await depot.client.wait_idle()
        near, full = Settings(held=1), Settings(held=2)
        told = [f for f in (await ops.doctor(depot.engine, near)).findings if "held of at most" in f.value]
        assert [f.health for f in told] == ["act"] and "1 held of at most 1" in told[0].value
        assert not [f for f in (await ops.doctor(depot.engine, full)).findings if "held of at most" in f.value]


async def test_a_group_about_to_lose_events_is_told_before() -> None:
    clock = SteeredClock(datetime(2026, 1, 1, tzinfo=UTC))
    engine = await open_engine("memory:", clock=clock)
    part = Partition("t", 0)
    await engine.log.declare([Topic("t", 1, keep=10 * 86400.0), Topic("kept", 1, keep=None)])
    await engine.store.claim("g", "m", {part: 0, Partition("kept", 0): 0})
    for topic in ("t", "kept"):
        await engine.log.send([Event(topic, 0, b"k", topic.encode().ljust(16), b"", None)])
    told: list[ops.Finding] = []
    for later, warned in ((days(7), False), (days(1) + hours(1), True)):
        clock.jump(later)
        told = [f for f in (await ops.doctor(engine, Settings())).findings if "will go" in f.value]
        assert bool(told) == warned
    assert told[0].value == "1 event of t will go within 2 d, unhandled" and told[0].health == "act"
    await engine.close()


async def test_every_setting_tells_its_source_and_no_password(tmp_path: Path) -> None:
    file = tmp_path / "tidings.toml"
    file.write_text("lease = 9\nbeat = 2\n")
    environment = {
        "TIDINGS_CONFIG": str(file),
        "TIDINGS_BEAT": "3",
        "TIDINGS_STORE": "postgresql://me:canary@host/shop",
    }
    told = {s.name: s for s in settings.explain({"drain": 1.0, "log": None}, environment)}
    assert [(s.value, s.source) for s in (told["lease"], told["beat"], told["drain"], told["fetch"])] == [
        (9.0, str(file)),
        (3.0, "the environment"),
        (1.0, "the arguments"),
        (500, "the default"),
    ]
    assert told["store"].value == "postgresql://***@host/shop"
