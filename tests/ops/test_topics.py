from __future__ import annotations

import asyncio

import pytest

from tests.ops.conftest import Opener
from tests.ops.depot import Received
from tidings import ops
from tidings.engine.unit import Event
from tidings.errors import Refused

pytestmark = pytest.mark.anyio


async def test_topics_tell_what_lies_in_them_and_who_reads(opened: Opener) -> None:
    async with opened() as depot:
        await depot.receive("a", 1)
        await depot.client.wait_idle()
        found = {t.topic: t for t in await ops.topics(depot.engine)}
        parcels = found["parcel-events"]
        assert (parcels.records, len(parcels.partitions), parcels.keep) == (2, 4, None)
        assert parcels.groups == ["board.board", "counter", "scale", "trips"]
        assert parcels.bytes > 0 and parcels.oldest is not None
        assert found["trips.answers"].oldest is None


async def test_a_tail_shows_records_in_the_order_of_their_commits(opened: Opener) -> None:
    async with opened() as depot:
        for parcel in "abc":
            await depot.receive(parcel, 1)
        await depot.client.wait_idle()
        topics = await ops.check_topics(depot.engine, [])
        found = [e async for e in ops.tail(depot.engine, await ops.offsets(depot.engine, topics, "start"))]
        assert len(found) == sum(t.records for t in await ops.topics(depot.engine))
        assert [e.offset for e in found] == sorted(e.offset for e in found)
        first = found[0]
        assert (first.name, first.kind, first.key, bytes(first.data)) == (
            "Receive",
            "command",
            "a",
            b'{"parcel":"a","weight":1}',
        )


async def test_a_tail_that_follows_sees_what_comes(opened: Opener) -> None:
    async with opened(working=False) as depot:
        await depot.client.publish(Received(parcel="before", weight=1))
        start = await ops.offsets(depot.engine, ["parcel-events"], "end")
        seen: asyncio.Queue[str | None] = asyncio.Queue()

        async def follow() -> None:
            async for e in ops.tail(depot.engine, start, follow=True):
                seen.put_nowait(e.key)

        following = asyncio.create_task(follow())
        for parcel in ("one", "two", "three"):
            await depot.client.publish(Received(parcel=parcel, weight=1))
            assert await asyncio.wait_for(seen.get(), 10) == parcel
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def test_the_last_records_are_found_from_the_end(opened: Opener) -> None:
    async with opened(working=False) as depot:
        for n in range(3):
            await depot.client.publish(*(Received(parcel=f"p{n}-{m}", weight=m) for m in range(700)))
        await depot.client.publish(Received(parcel="rare", weight=1))
        for n in range(2):
            await depot.client.publish(*(Received(parcel=f"q{n}-{m}", weight=m) for m in range(700)))
        last = await ops.last(depot.engine, ["parcel-events"], 3)
        assert [e.key for e in last] == ["q1-697", "q1-698", "q1-699"]
        assert [e.key for e in await ops.last(depot.engine, ["parcel-events"], 2, lambda e: e.key == "rare")] == [
            "rare"
        ]
        assert len(await ops.last(depot.engine, ["parcel-events"], 10_000)) == 3501


async def test_foreign_bytes_are_shown_as_far_as_they_can_be(opened: Opener) -> None:
    async with opened(working=False) as depot:
        await depot.engine.log.send([Event("parcel-events", 1, b"\xff\x1b[31m", b"i" * 16, b"junk", b"\x80\x04pickle")])
        (found,) = await ops.last(depot.engine, ["parcel-events"], 5)
        assert found.unreadable and found.key == "\\xff\x1b[31m"
        assert bytes(found.data) == b'"\\\\x80\\u0004pickle"'


async def test_a_record_is_found_by_its_place(opened: Opener) -> None:
    async with opened(working=False) as depot:
        await depot.client.publish(Received(parcel="a", weight=1))
        (only,) = await ops.last(depot.engine, ["parcel-events"], 1)
        assert await ops.find(depot.engine, only.place) == only
        for wrong in (f"{only.topic}/{only.partition}/{only.offset + 1}", "parcel-events", "nope/0/0", "a/b/c"):
            with pytest.raises(Refused):
                await ops.find(depot.engine, wrong)


async def test_a_topic_that_nobody_declared_is_refused(opened: Opener) -> None:
    async with opened(working=False) as depot:
        with pytest.raises(Refused) as refused:
            await ops.check_topics(depot.engine, ["parcel-event"])
        assert "parcel-events" in refused.value.hint


async def test_streams_are_listed_and_read_up_to_a_version(opened: Opener) -> None:
    async with opened() as depot:
        await depot.receive("a", 1)
        assert await ops.spaces(depot.engine) == ["Parcel"]
        assert await ops.streams(depot.engine, "Parcel") == [ops.StreamKey("Parcel", "a", 2)]
        whole = await ops.stream(depot.engine, "Parcel", "a")
        assert [(e.version, e.name) for e in whole.events] == [(1, "Received"), (2, "Weighed")]
        early = await ops.stream(depot.engine, "Parcel", "a", 1)
        assert (early.version, [e.name for e in early.events]) == (2, ["Received"])
        for space, key, hint in (("Parcels", "a", "Parcel"), ("Parcel", "aa", "a")):
            with pytest.raises(Refused) as refused:
                await ops.stream(depot.engine, space, key)
            assert hint in refused.value.hint


async def test_sagas_are_found_by_name_and_status(opened: Opener) -> None:
    async with opened() as depot:
        assert await ops.sagas(depot.engine) == []
        await depot.receive("a", 1)
        await depot.receive("b", 500)
        await depot.client.wait_idle()
        assert [s.key for s in await ops.sagas(depot.engine)] == ["a", "b"]
        assert [s.key for s in await ops.sagas(depot.engine, "Trip", "failed")] == ["b"]
        assert [s.key for s in await ops.sagas(depot.engine, "trips.Trip", limit=1)] == ["a"]
        assert await ops.sagas(depot.engine, "Other") == []
