"""A member's reader: what it hands out, when, and how often."""

from __future__ import annotations

import asyncio

from msgspec import structs

from tidings.engine.port import Engine, Topic
from tidings.engine.unit import Event, Partition
from tidings.testing.conformance.bench import P0, P1, Lack, Opener, data, event, hear, only, sit, soon, tell, turns


async def test_order_holds_in_a_partition_and_each_record_comes_once(e: Engine) -> None:
    seat = await sit(e)
    for first in range(0, 200, 20):
        await tell(e, *(event(n, n % 4) for n in range(first, first + 20)))
    got = await hear(seat.reader, 200, limit=37)
    for part in range(4):
        mine = [(r.offset, int(r.data or b"")) for b, r in got if b.partition.number == part]
        assert [n for _, n in mine] == list(range(part, 200, 4))
        assert [offset for offset, _ in mine] == sorted({offset for offset, _ in mine})


async def test_h05_parallel_commits_of_many_processes_are_all_handed_out_in_order(e: Engine, opener: Opener) -> None:
    seat = await sit(e)
    handles = [e, *[await opener() for _ in range(3)]]
    told = [[event(100 * who + n, who) for n in range(50)] for who in range(4)]
    await asyncio.gather(*(tell(handles[who], one) for who in range(4) for one in told[who]))
    got = await hear(seat.reader, 200)
    assert sorted(int(r.data or b"") for _, r in got) == sorted(100 * who + n for who in range(4) for n in range(50))
    for part in range(4):
        offsets = [r.offset for b, r in got if b.partition.number == part]
        assert offsets == sorted(set(offsets))


async def test_the_next_of_a_batch_is_where_one_goes_on(e: Engine) -> None:
    seat = await sit(e)
    await tell(e, *(event(n, n % 2) for n in range(20)))
    got: list[int] = []
    while len(got) < 20:
        batches = await soon(seat.reader.fetch(3))
        got += [int(d or b"") for d in data(batches)]
        seat.reader.start([structs.replace(seat.claims[b.partition], next=b.next) for b in batches])
    assert sorted(got) == list(range(20))


async def test_fetch_gives_about_as_many_as_asked(e: Engine) -> None:
    seat = await sit(e)
    await tell(e, *(event(n, n % 4) for n in range(100)))
    while True:
        batches = await soon(seat.reader.fetch(10))
        assert len(data(batches)) <= 20, "about ten were asked for"
        if b"99" in data(batches):
            return


async def test_fetch_respects_the_size_but_gives_one_at_least(e: Engine) -> None:
    seat = await sit(e)
    big = [Event("t", 0, b"k", bytes([n]) * 16, b"head", bytes(10_000)) for n in range(10)]
    await tell(e, *big)
    got, most = 0, 0
    while got < 10:
        batches = await soon(seat.reader.fetch(500, 25_000))
        count = len(data(batches))
        got, most = got + count, max(most, count)
    assert got == 10 and most <= 3, "two fit, and one more where an engine counts afterwards"
    await tell(e, *big[:3])
    assert len(data(await soon(seat.reader.fetch(500, 1)))) == 1


async def test_fetch_is_woken_by_a_commit(e: Engine) -> None:
    seat = await sit(e)
    waiting = asyncio.ensure_future(hear(seat.reader, 1))
    await turns()
    await tell(e, event(1))
    assert (await waiting)[0][1].data == b"1"


async def test_fetch_is_woken_by_a_commit_of_another_process(e: Engine, other: Engine) -> None:
    """The clock stands still, so it is the wake that ends the wait and not the floor of polling."""
    seat = await sit(e)
    waiting = asyncio.ensure_future(hear(seat.reader, 1))
    await turns()
    await tell(other, event(1))
    assert (await waiting)[0][1].data == b"1"


async def test_a_cancelled_fetch_loses_nothing(e: Engine) -> None:
    seat = await sit(e)
    got: list[bytes | None] = []
    for n in range(20):
        waiting = asyncio.ensure_future(seat.reader.fetch(500))
        await turns(n % 4)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        if not waiting.cancelled():
            got += data(waiting.result())
        await tell(e, event(n))
    got += [record.data for _, record in await hear(seat.reader, 20 - len(got))] if len(got) < 20 else []
    assert got == [b"%d" % n for n in range(20)]


async def test_start_again_is_a_seek(e: Engine) -> None:
    seat = await sit(e)
    await tell(e, event(1), event(2))
    await hear(seat.reader, 2)
    seat.reader.start([seat.claims[P0]])
    assert [r.data for _, r in await hear(seat.reader, 2)] == [b"1", b"2"]


async def test_stopped_partitions_hand_out_nothing(e: Engine) -> None:
    seat = await sit(e)
    seat.reader.stop([P0])
    await tell(e, event(1, 0), event(2, 1))
    await only(e, seat.reader, 2)


async def test_drained_partitions_hand_out_nothing(e: Engine) -> None:
    seat = await sit(e)
    seat.reader.done([P0])
    await tell(e, event(1, 0), event(2, 1))
    await only(e, seat.reader, 2)


async def test_pause_keeps_the_place(e: Engine) -> None:
    seat = await sit(e)
    await tell(e, event(0))
    await hear(seat.reader, 1)
    seat.reader.pause([P0], True)
    await tell(e, event(1, 0), event(2, 1))
    await only(e, seat.reader, 2)
    seat.reader.pause([P0], False)
    assert [r.data for _, r in await hear(seat.reader, 1)] == [b"1"]


async def test_unpausing_wakes_the_reader(e: Engine) -> None:
    seat = await sit(e)
    seat.reader.pause([P0, P1], True)
    await tell(e, event(1))
    waiting = asyncio.ensure_future(hear(seat.reader, 1))
    await turns()
    seat.reader.pause([P0], False)
    assert (await waiting)[0][1].data == b"1"


async def test_a_pause_ends_with_the_claim(e: Engine) -> None:
    seat = await sit(e)
    seat.reader.pause([P0], True)
    seat.reader.stop([P0])
    seat.reader.start([seat.claims[P0]])
    await tell(e, event(1))
    assert [r.data for _, r in await hear(seat.reader, 1)] == [b"1"]


async def test_batches_carry_the_epoch_of_their_claim(e: Engine) -> None:
    seat = await sit(e)
    again = await e.store.claim("g", "m", {P0: 0})
    seat.reader.start(again)
    await tell(e, event(1))
    assert (await hear(seat.reader, 1))[0][0].epoch == again[0].epoch == seat.claims[P0].epoch + 1


async def test_progress_of_a_quiet_partition_moves(e: Engine) -> None:
    """Otherwise a restart reads the whole log again for a partition that had nothing in it."""
    if not e.can.one_commit:
        raise Lack("one number for the records of all partitions")
    seat = await sit(e)
    await e.log.send([event(n, 0) for n in range(3000)])
    seen: dict[Partition, int] = {}
    while seen.get(P1, 0) < 1000:
        seen |= {b.partition: b.next for b in await soon(seat.reader.fetch(500))}


async def test_every_group_hears_everything(e: Engine) -> None:
    first, second = await sit(e, "one"), await sit(e, "two")
    await tell(e, event(1), event(2, 1))
    assert len(await hear(first.reader, 2)) == len(await hear(second.reader, 2)) == 2


async def test_a_member_hears_only_its_topics(e: Engine) -> None:
    await e.log.declare([Topic("u", 4)])
    seat = await sit(e)
    await tell(e, event(1, topic="u"), event(2))
    await only(e, seat.reader, 2)
