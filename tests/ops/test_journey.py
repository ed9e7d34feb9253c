from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ops.conftest import Opener
from tests.ops.depot import Receive, depot
from tidings import TidingsError, ops
from tidings.errors import Refused
from tidings.event.identity import new_id, show

pytestmark = pytest.mark.anyio


def flat(steps: list[ops.Step]) -> Iterator[ops.Step]:
    for step in steps:
        yield step
        yield from flat(step.then)


def names(steps: list[ops.Step], depth: int = 0) -> list[str]:
    found = []
    for step in steps:
        found += ["  " * depth + step.entry.name, *names(step.then, depth + 1)]
    return found


async def test_a_journey_goes_from_the_command_to_the_refund(opened: Opener) -> None:
    async with opened() as running:
        correlation = await running.receive("b", 500)
        await running.receive("other", 5)
        await running.client.wait_idle()
        found = await ops.journey(running.engine, correlation)
        assert names(found.steps) == [
            "Receive",
            "  Received",
            "    Bill",
            "      Billed",
            "        Ship",
            "          NotShipped",
            "            Refund",
            "              Refunded",
            "  Weighed",
        ]
        assert found.correlation == correlation and found.events == 9 and not found.remarks
        (saga,) = found.sagas
        assert (saga.saga, saga.key, saga.status, saga.reason) == ("trips.Trip", "b", "failed", "no carrier takes it")
        assert dict(saga.steps) == {"billing": "undone", "shipping": "failed"}


async def test_any_id_of_a_flow_leads_to_the_whole_of_it(opened: Opener) -> None:
    async with opened() as running:
        correlation = await running.receive("b", 500)
        await running.client.wait_idle()
        whole = await ops.journey(running.engine, correlation)
        for step in flat(whole.steps):
            same = await ops.journey(running.engine, step.entry.id)
            assert (same.correlation, names(same.steps)) == (correlation, names(whole.steps)), step.entry.name
        assert await ops.journey(running.engine, correlation.replace("-", "").upper()) == whole


async def test_times_are_since_the_flow_began_and_exact_where_something_was_told(opened: Opener) -> None:
    async with opened() as running:
        found = await ops.journey(running.engine, await running.receive("b", 500))
        await running.client.wait_idle()
        found = await ops.journey(running.engine, found.correlation)
        steps = list(flat(found.steps))
        assert steps[0].after == 0 and found.took == max(s.after for s in steps)
        for step in steps:
            for child in step.then:
                assert child.after >= step.after
                group = child.entry.source.rpartition("/")[2]
                (fate,) = [f for f in step.fates if f.group == group]
                assert fate.exact and fate.time == min(
                    c.entry.time for c in step.then if c.entry.source.endswith(f"/{group}") and not c.private
                )


async def test_what_became_of_a_message_is_told_for_every_group(opened: Opener) -> None:
    async with opened() as running:
        correlation = await running.receive("c", 13)
        await running.client.wait_idle()
        steps = {s.entry.name: s for s in flat((await ops.journey(running.engine, correlation)).steps)}
        fates = {f.group: f for f in steps["Received"].fates}
        assert fates["scale"].what == "parked" and "13 kg" in fates["scale"].text
        assert {f.what for g, f in fates.items() if g != "scale"} == {"handled"}
        assert all(f.member and f.time for g, f in fates.items() if g != "scale")
        assert steps["Weighed"].private and steps["Weighed"].stream == "Parcel c v2" and not steps["Weighed"].fates
        assert steps["Received"].stream == "Parcel c v1"


async def test_a_refusal_and_its_reason_are_shown(opened: Opener) -> None:
    async with opened() as running:
        receipt = await running.client.send(Receive(parcel="d", weight=-1))
        await running.client.wait_idle()
        (step,) = (await ops.journey(running.engine, receipt.correlation_id)).steps
        (fate,) = step.fates
        assert (fate.group, fate.what, fate.text) == ("counter", "rejected", "a parcel weighs something")


async def test_a_message_before_a_paused_group_waits(opened: Opener) -> None:
    async with opened() as running:
        await running.receive("a", 1)
        await running.client.wait_idle()
        await ops.pause(running.engine, "carrier", "no van")
        correlation = await running.receive("b", 1)
        await running.client.wait_idle()
        steps = {s.entry.name: s for s in flat((await ops.journey(running.engine, correlation)).steps)}
        (fate,) = steps["Ship"].fates
        assert (fate.what, fate.text) == ("paused", "operator: no van")
        await ops.resume(running.engine, "carrier")
        await running.client.wait_idle()
        steps = {s.entry.name: s for s in flat((await ops.journey(running.engine, correlation)).steps)}
        assert steps["Ship"].fates[0].what == "handled"


async def test_the_program_leaves_out_groups_that_only_pass_a_message_over(opened: Opener) -> None:
    async with opened() as running:
        correlation = await running.receive("b", 5)
        await running.client.wait_idle()
        every = {
            s.entry.name: {f.group for f in s.fates}
            for s in flat((await ops.journey(running.engine, correlation)).steps)
        }
        assert "scale" in every["Shipped"], "it reads the topic"
        found = await ops.journey(running.engine, correlation, ops.hears(depot.program))
        heard = {s.entry.name: {f.group for f in s.fates} for s in flat(found.steps)}
        assert heard["Shipped"] == {"board.board", "counter", "trips"}
        assert heard["Received"] == {"board.board", "scale", "trips"}


async def test_what_is_still_to_come_is_shown(opened: Opener) -> None:
    async with opened() as running:
        correlation = await running.receive("b", 5)
        await running.client.wait_idle()
        found = await ops.journey(running.engine, correlation)
        (waiting,) = found.pending
        shipped = next(s for s in flat(found.steps) if s.entry.name == "Shipped")
        assert (waiting.group, waiting.name, waiting.causation) == ("counter", "AskBack", shipped.entry.id)


async def test_an_idempotent_call_is_found_by_its_derived_id(opened: Opener) -> None:
    async with opened() as running:
        receipt = await running.client.call(Receive(parcel="a", weight=1), id="once")
        await running.client.wait_idle()
        found = await ops.journey(running.engine, receipt.correlation_id)
        assert names(found.steps)[0] == "Receive" and found.events == 7


async def test_an_id_that_nothing_bears_is_refused(opened: Opener) -> None:
    async with opened() as running:
        await running.receive("a", 1)
        with pytest.raises(Refused, match="nothing in this store bears"):
            await ops.journey(running.engine, show(new_id()))
        with pytest.raises(TidingsError, match="is no id"):
            await ops.journey(running.engine, "order-1")
