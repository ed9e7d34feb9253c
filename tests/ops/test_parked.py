from __future__ import annotations

import pytest

from tests.ops.conftest import Opener, until
from tests.ops.depot import Received
from tidings import ops
from tidings.errors import Refused

pytestmark = pytest.mark.anyio


async def test_a_parked_key_is_shown_with_what_waits_behind_it(opened: Opener) -> None:
    async with opened() as depot:
        await depot.receive("c", 13)
        await depot.client.publish(Received(parcel="c", weight=2), Received(parcel="free", weight=3))
        await depot.client.wait_idle()
        (key,) = await ops.parked(depot.engine)
        assert (key.group, key.key, key.topic) == ("scale", "c", "parcel-events")
        assert key.first.error == "ValueError: the scale breaks at 13 kg"
        assert [e.entry.data for e in key.events] and len(key.events) == 2
        assert key.events[0].due is None and key.events[1].due is not None, "the second only queues behind"
        assert len(await ops.held(depot.engine, "scale")) == 2
        assert await ops.parked(depot.engine, "carrier") == []


async def test_h21_redriven_events_run_in_order(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as depot:
        await depot.receive("c", 13)
        await depot.client.publish(*(Received(parcel="c", weight=w) for w in (1, 2, 3)))
        await depot.client.wait_idle()
        monkeypatch.setenv("DEPOT_MENDED", "1")
        (done,) = await ops.redrive(depot.engine, "scale", "c")
        assert (done.key, done.events) == ("c", 1)

        async def nothing_held() -> bool:
            return (await depot.group("scale")).held == 0

        await until(nothing_held, depot.engine)
        (row,) = await depot.engine.store.page("weights", "", 10)
        assert row[1] == ("c", 3), "the last of its key was the last to run"


async def test_events_that_fail_again_are_parked_again(opened: Opener) -> None:
    async with opened() as depot:
        await depot.receive("c", 13)
        await depot.client.wait_idle()
        assert len(await ops.redrive(depot.engine, "scale")) == 1

        async def parked_twice() -> bool:
            return (await depot.group("scale")).counts["parked"] == 2

        await until(parked_twice, depot.engine)
        (key,) = await ops.parked(depot.engine)
        assert key.first.attempts == 2


async def test_dropped_events_are_given_up_and_those_behind_go_on(opened: Opener) -> None:
    async with opened() as depot:
        await depot.receive("c", 13)
        await depot.client.publish(Received(parcel="c", weight=2))
        await depot.client.wait_idle()
        (done,) = await ops.redrive(depot.engine, "scale", "c", drop=True)
        assert done.events == 1

        async def nothing_held() -> bool:
            return (await depot.group("scale")).held == 0

        await until(nothing_held, depot.engine)
        (row,) = await depot.engine.store.page("weights", "", 10)
        assert row[1] == ("c", 2)
        assert (await depot.engine.store.acts(1))[0].act == "drop"


async def test_a_key_without_parked_events_is_refused_with_its_nearest(opened: Opener) -> None:
    async with opened() as depot:
        await depot.receive("parcel-13", 13)
        await depot.client.wait_idle()
        with pytest.raises(Refused, match="parcel-12") as refused:
            await ops.redrive(depot.engine, "scale", "parcel-12")
        assert "parcel-13" in refused.value.hint
        assert await ops.redrive(depot.engine, "carrier") == []
