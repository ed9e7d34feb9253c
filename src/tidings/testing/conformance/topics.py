"""Topics, and looks at their records that take no seat."""

from __future__ import annotations

from tidings.clock import MICRO, seconds
from tidings.engine.port import Engine, Topic
from tidings.engine.unit import Event, Failed
from tidings.errors import Refused
from tidings.testing.clock import SteeredClock
from tidings.testing.conformance.bench import P0, P1, data, event, look, prepare, raised, tell


async def test_a_topic_declared_twice_is_one(e: Engine) -> None:
    await e.log.declare([Topic("t", 4), Topic("u", 1, compact=True)])
    await e.log.declare([Topic("t", 4)])
    assert {(t.name, t.partitions, t.compact) for t in await e.log.topics()} == {("t", 4, False), ("u", 1, True)}


async def test_a_topic_of_another_shape_is_refused_with_both_values(e: Engine) -> None:
    await e.log.declare([Topic("t", 4)])
    for other, value in ((Topic("t", 57), "57"), (Topic("t", 4, compact=True), "compact")):
        refused = await raised(Refused, e.log.declare([other]))
        assert "4" in refused.message and value in refused.message and refused.hint
    assert [(t.partitions, t.compact) for t in await e.log.topics()] == [(4, False)]


async def test_how_long_a_topic_keeps_may_change(e: Engine) -> None:
    await e.log.declare([Topic("t", 1, keep=5.0)])
    await e.log.declare([Topic("t", 1, keep=None, keep_bytes=7)])
    assert [(t.keep, t.keep_bytes) for t in await e.log.topics()] == [(None, 7)]


async def test_a_topic_is_seen_by_other_processes(e: Engine, other: Engine) -> None:
    await prepare(e)
    assert [t.name for t in await other.log.topics()] == ["t"]
    await tell(other, event(1))
    assert await look(e, P0) == [1]


async def test_a_topic_that_nobody_declared_is_refused(e: Engine) -> None:
    await prepare(e)
    for attempt in (e.log.join("g", ["u"], "m"), e.log.extents(["u"]), e.log.at("u", 0)):
        assert (await raised(Refused, attempt)).hint


async def test_bytes_come_back_as_they_were_sent(e: Engine) -> None:
    await prepare(e)
    odd = [
        Event("t", 0, b"\x00\xffk", b"\x01" * 16, bytes(range(256)), None),
        Event("t", 0, None, b"\x02" * 16, b"", b""),
        Event("t", 0, b"", b"\x03" * 16, b"h", b"\x00"),
    ]
    await e.log.send(odd)
    records = (await e.log.read({P0: 0}, 10))[0].records
    assert [(r.key, r.head, r.data) for r in records] == [(x.key, x.head, x.data) for x in odd]


async def test_records_carry_the_time_of_the_log(e: Engine, clock: SteeredClock) -> None:
    await prepare(e)
    await e.log.send([event(1)])
    before = (await e.log.read({P0: 0}, 1))[0].records[0].time
    clock.jump(seconds(3600.0))
    await e.log.send([event(2)])
    after = (await e.log.read({P0: 0}, 2))[0].records[1].time
    assert after - before >= 3599 * MICRO


async def test_sending_gives_the_offsets_in_order(e: Engine) -> None:
    await prepare(e)
    answers = await e.log.send([event(n, n % 2) for n in range(6)])
    batches = await e.log.read({P0: 0, P1: 0}, 10)
    by_offset = {r.offset: r.data for batch in batches for r in batch.records}
    assert [by_offset[a] for a in answers if isinstance(a, int)] == [b"%d" % n for n in range(6)]


async def test_what_can_be_in_no_topic_is_answered_failed(e: Engine) -> None:
    await prepare(e)
    for bad in (event(2, topic="u"), event(2, part=4)):
        answers = await e.log.send([event(1), bad])
        assert isinstance(answers[1], Failed) and answers[1].error
    if e.can.one_commit:
        assert not await look(e, P0), "an own log sends all or nothing"


async def test_a_look_takes_no_seat_and_ends(e: Engine) -> None:
    await prepare(e)
    await e.log.send([event(n) for n in range(5)])
    batch = (await e.log.read({P0: 0}, 3))[0]
    assert data([batch]) == [b"0", b"1", b"2"]
    assert data(await e.log.read({P0: batch.next}, 10)) == [b"3", b"4"]
    assert not await e.log.read({P0: batch.records[-1].offset + 1000}, 10)
    assert not await e.store.progress()


async def test_a_look_at_several_partitions_keeps_each_in_order(e: Engine) -> None:
    await prepare(e)
    await e.log.send([event(n, n % 4) for n in range(40)])
    start, got = {P0: 0, P1: 0}, {P0: [], P1: []}  # type: tuple[dict[object, int], dict[object, list[bytes | None]]]
    while batches := await e.log.read(start, 7):  # type: ignore[arg-type]
        for batch in batches:
            start[batch.partition] = batch.next
            got[batch.partition] += data([batch])
    assert got == {P0: [b"%d" % n for n in range(0, 40, 4)], P1: [b"%d" % n for n in range(1, 40, 4)]}


async def test_extents_tell_what_is_there(e: Engine) -> None:
    await prepare(e)
    before = {x.partition: x for x in await e.log.extents(["t"])}
    await e.log.send([event(n) for n in range(3)])
    after = {x.partition: x for x in await e.log.extents(["t"])}
    last = (await e.log.read({P0: 0}, 9))[0].records[-1]
    assert len(before) == len(after) == 4
    assert after[P0].first == before[P0].first and after[P0].next > last.offset
    assert after[P0].bytes >= 3 * len(b"khead0") and after[P1].bytes == 0
    assert after[P0].identity == before[P0].identity


async def test_a_time_gives_offsets(e: Engine, clock: SteeredClock) -> None:
    await prepare(e)
    await e.log.send([event(1), event(2)])
    clock.jump(seconds(10.0))
    between = await e.store.now() - 5 * MICRO
    await e.log.send([event(3)])
    records = (await e.log.read({P0: 0}, 9))[0].records
    assert (await e.log.at("t", records[0].time))[P0] <= records[0].offset
    assert records[1].offset < (await e.log.at("t", between))[P0] <= records[2].offset
    assert (await e.log.at("t", records[2].time + 3600 * MICRO))[P0] > records[2].offset


async def test_lag_counts_records(e: Engine) -> None:
    await prepare(e)
    await e.log.send([event(n, n % 2) for n in range(9)])
    offsets = [r.offset for r in (await e.log.read({P0: 0}, 9))[0].records]
    ends = {x.partition: x.next for x in await e.log.extents(["t"])}
    for behind, offset in ((5, offsets[0]), (2, offsets[3]), (1, offsets[3] + 1), (0, ends[P0])):
        lag = await e.log.lag({P0: offset, P1: ends[P1]})
        assert lag[P0] == behind if e.can.exact_lag else lag[P0] >= behind
        assert lag[P1] == 0 or not e.can.exact_lag
