from __future__ import annotations

import asyncio

import pytest

from tests.ops.conftest import Depot, Opener
from tests.ops.depot import Depot as Known
from tests.ops.depot import Receive
from tidings import TidingsError, ops
from tidings.engine.port import Reader
from tidings.errors import Refused

pytestmark = pytest.mark.anyio


async def test_groups_tell_members_positions_and_what_they_did(opened: Opener) -> None:
    async with opened() as depot:
        await depot.receive("a", 5)
        await depot.client.wait_idle()
        found = {g.group: g for g in await ops.groups(depot.engine)}
        assert tuple(sorted(found)) == Known.groups
        board = found["board.board"]
        assert (board.status, board.state, board.lag, board.reasons) == ("ok", "up to date", 0, [])
        assert board.counts["handled"] == 2
        assert [m.alive for m in board.members] == [True]
        assert board.members[0].partitions == len(board.partitions) == 4
        assert all(p.alive and p.lag == 0 for p in board.partitions)
        assert await ops.tallies(depot.engine) == {name: g.counts for name, g in found.items()}


async def test_a_group_that_nobody_knows_is_refused_with_its_nearest_name(opened: Opener) -> None:
    async with opened() as depot:
        await depot.receive("a", 5)
        with pytest.raises(Refused, match="carier") as refused:
            await ops.groups(depot.engine, "carier")
        assert "'carrier'" in refused.value.hint


async def test_a_store_without_groups_says_how_to_begin(opened: Opener) -> None:
    async with opened(working=False) as depot:
        assert await ops.groups(depot.engine) == []
        with pytest.raises(Refused) as refused:
            await ops.groups(depot.engine, "carrier")
        assert "tidings run" in refused.value.hint


async def sit(depot: Depot, group: str, member: str) -> tuple[Reader, asyncio.Task[object]]:
    """A member as it would be if its task that handles had died: the seat is kept, partitions are claimed."""
    topics = next(list(g.topics) for g in depot.runtime.program.groups if g.name == group)
    reader = await depot.engine.log.join(group, topics, member)
    change = await reader.change()
    await depot.engine.store.claim(group, member, dict.fromkeys(change.gain, 0))
    return reader, asyncio.create_task(reader.change())


async def test_h35_a_dead_runner_is_red_though_its_process_lives(opened: Opener) -> None:
    async with opened(working=False) as depot:
        reader, seat = await sit(depot, "counter", "half-dead")
        calm = await depot.group("counter")
        assert calm.status == "ok", "nothing waits yet"
        await depot.client.send(Receive(parcel="a", weight=1))
        behind = (await ops.groups(depot.engine, "counter"))[0]
        assert (behind.status, behind.state, behind.lag) == ("ok", "behind", 1), "it may just be slow"
        stalled = (await ops.groups(depot.engine, "counter", stalled=0))[0]
        assert (stalled.status, stalled.state) == ("act", "stalled")
        assert "no progress" in stalled.reasons[0] and "counter.commands" in stalled.reasons[0]
        verdict = await ops.verify(depot.engine)
        assert verdict.sound, "ten seconds have not passed"
        seat.cancel()
        await asyncio.gather(seat, return_exceptions=True)
        await reader.leave()


async def test_events_that_nobody_handles_are_red(opened: Opener) -> None:
    async with opened(working=False) as depot:
        reader, seat = await sit(depot, "counter", "leaves")
        seat.cancel()
        await asyncio.gather(seat, return_exceptions=True)
        await reader.leave()
        empty = await depot.group("counter")
        assert (empty.status, empty.state) == ("look", "no member"), "nothing waits, nobody is there"
        await depot.client.send(Receive(parcel="a", weight=1))
        lost = await depot.group("counter")
        assert (lost.status, lost.state) == ("act", "nobody handles it")
        assert lost.waiting_since is not None
        assert "1 event before counter.commands" in lost.reasons[0]


async def test_parked_events_are_yellow_and_counted_with_what_is_held(opened: Opener) -> None:
    async with opened() as depot:
        await depot.receive("c", 13)
        await depot.client.wait_idle()
        scale = await depot.group("scale")
        assert (scale.status, scale.state, scale.held, scale.parked) == ("look", "parked", 1, 1)
        assert scale.oldest is not None
        others = [g for g in await ops.groups(depot.engine) if g.group != "scale"]
        assert {g.status for g in others} == {"ok"}, "one group's failure is nobody else's"


async def test_a_pause_by_a_person_is_yellow_and_one_by_an_error_is_red(opened: Opener) -> None:
    async with opened() as depot:
        await depot.receive("a", 1)
        await ops.pause(depot.engine, "carrier", "the van is broken")
        carrier = await depot.group("carrier")
        assert (carrier.status, carrier.state) == ("look", "paused")
        assert "the van is broken" in carrier.reasons[0]
        rows = await depot.engine.store.progress("desk")
        await depot.engine.store.set_paused("desk", [rows[0].partition], "newer: Bill version 2, known here up to 1")
        desk = await depot.group("desk")
        assert (desk.status, desk.state) == ("act", "paused")


async def test_errors_of_ops_are_of_tidings(opened: Opener) -> None:
    async with opened() as depot:
        await depot.receive("a", 1)
        for deed in (
            ops.pause(depot.engine, "nope"),
            ops.resume(depot.engine, "nope"),
            ops.remove(depot.engine, "nope"),
            ops.redrive(depot.engine, "nope"),
            ops.parked(depot.engine, "nope"),
            ops.reset(depot.runtime, "nope", "start"),
        ):
            with pytest.raises(TidingsError) as refused:
                await deed
            assert refused.value.hint
