from __future__ import annotations

import asyncio

import pytest

from tests.testing.library import Borrow, lending
from tidings import Stale, System, TidingsError, signals
from tidings.testing import heard, run

pytestmark = pytest.mark.anyio


async def test_a_point_is_heard_from_any_thread() -> None:
    async with heard("relay.sent") as point:
        await asyncio.to_thread(signals.reached, "relay.sent")
        signals.reached("relay.sent")
        signals.reached("relay.taken")
        await point.wait(times=2)
        assert point.count == 2
    signals.reached("relay.sent")
    assert point.count == 2


async def test_a_commit_can_be_waited_for() -> None:
    async with run(System("lending", [lending])) as world, heard("sqlite.committed") as point:
        await world.send(Borrow(book="b-1", reader="ada"))
        await point.wait(times=2)


async def test_a_point_that_is_never_reached_fails_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidings.testing.points.GUARD", 0.01)
    async with heard("relay.sent") as point:
        with pytest.raises(Stale, match=r"relay.sent was reached 0 times in 0.01 s, not 1"):
            await point.wait()


async def test_a_point_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TidingsError, match=r"did you mean 'relay.sent'"):
        async with heard("relay.send"):
            pass
