"""What retention and compaction take, and who is told."""

from __future__ import annotations

from tidings.clock import seconds
from tidings.engine.port import Engine, Topic
from tidings.engine.unit import Conflict, Event, Partition, Step, Unit
from tidings.errors import Truncated
from tidings.testing.clock import SteeredClock
from tidings.testing.conformance.bench import (
    DAY,
    ORDER,
    P0,
    P1,
    Lack,
    commit,
    data,
    event,
    first,
    hear,
    kept,
    look,
    prepare,
    raised,
    sit,
    soon,
    sweep,
    tell,
)

C0 = Partition("c", 0)


def needs_sweeps(e: Engine) -> None:
    if not e.can.sweeps:
        raise Lack("retention of its own")


async def test_old_records_go_and_young_ones_stay(e: Engine, clock: SteeredClock) -> None:
    needs_sweeps(e)
    await prepare(e, keep=DAY)
    await e.log.send([event(1), event(2), event(3, 1)])
    clock.jump(seconds(DAY / 2))
    await e.log.send([event(4)])
    assert await sweep(e) == 0
    clock.jump(seconds(DAY / 2 + 60))
    assert await sweep(e) == 3
    assert await look(e, P0, P1) == [4]


async def test_for_ever_is_for_ever(e: Engine, clock: SteeredClock) -> None:
    needs_sweeps(e)
    await prepare(e, keep=None)
    await e.log.send([event(1)])
    clock.jump(seconds(10_000 * DAY))
    assert await sweep(e) == 0
    assert await look(e, P0) == [1]


async def test_one_step_is_bounded(e: Engine, clock: SteeredClock) -> None:
    needs_sweeps(e)
    await prepare(e, keep=DAY)
    await e.log.send([event(n, n % 4) for n in range(40)])
    clock.jump(seconds(2 * DAY))
    steps = []
    while step := await e.log.sweep(7):
        steps.append(step)
    assert sum(steps) == 40 and max(steps) <= 7
    assert not await look(e, P0, P1)


async def test_a_partition_is_kept_below_its_size(e: Engine) -> None:
    needs_sweeps(e)
    await prepare(e, keep=None, keep_bytes=5_000)
    await e.log.send([Event("t", 0, b"k", bytes([n]) * 16, b"head", b"%d" % n + b" " * 998) for n in range(10)])
    await e.log.send([event(20, 1)])
    assert await sweep(e) in (5, 6)
    assert (await look(e, P0))[-4:] == [6, 7, 8, 9] and await look(e, P1) == [20]
    extent = next(x for x in await e.log.extents(["t"]) if x.partition == P0)
    assert extent.bytes <= 5_000


async def test_offsets_are_never_used_again(e: Engine, clock: SteeredClock) -> None:
    """A group that stands behind the last record must hear the next one."""
    needs_sweeps(e)
    await prepare(e, keep=DAY)
    await e.log.send([event(n) for n in range(5)])
    end = (await e.log.read({P0: 0}, 9))[0].next
    clock.jump(seconds(2 * DAY))
    assert await sweep(e) == 5
    await e.log.send([event(6)])
    batch = (await e.log.read({P0: end}, 9))[0]
    assert data([batch]) == [b"6"] and batch.records[0].offset >= end


async def test_a_look_below_the_first_record_is_refused(e: Engine, clock: SteeredClock) -> None:
    needs_sweeps(e)
    await prepare(e, keep=DAY)
    await e.log.send([event(1)])
    gone = (await e.log.read({P0: 0}, 9))[0].records[0].offset
    clock.jump(seconds(2 * DAY))
    await sweep(e)
    await e.log.send([event(2)])
    truncated = await raised(Truncated, e.log.read({P0: gone}, 10))
    assert (truncated.topic, truncated.partition) == P0
    assert gone < truncated.first == await first(e, P0)
    assert data(await e.log.read({P0: truncated.first}, 10)) == [b"2"]


async def test_a_reader_that_was_too_slow_is_told(e: Engine, clock: SteeredClock) -> None:
    needs_sweeps(e)
    seat = await sit(e, keep=DAY)
    await e.log.send([event(1)])
    clock.jump(seconds(2 * DAY))
    await sweep(e)
    await e.log.send([event(2), event(3, 1)])
    got: list[bytes | None] = []
    truncated = None
    while truncated is None or not got:  # what others have may come before or after
        try:
            got += data(await soon(seat.reader.fetch(500)))
        except Truncated as error:
            truncated = error
            seat.reader.pause([P0], True)
    assert (truncated.topic, truncated.partition) == P0 and got == [b"3"]


async def test_a_group_that_loses_records_is_paused_and_told_which(e: Engine, clock: SteeredClock) -> None:
    needs_sweeps(e)
    if not e.can.one_commit:
        raise Lack("a log that knows its groups")
    seat = await sit(e, keep=DAY)
    ahead = (await e.store.claim("ahead", "m", {P0: 0}))[0]
    await e.log.send([event(1), event(2), event(3)])
    batch = (await e.log.read({P0: 0}, 9))[0]
    offsets = [r.offset for r in batch.records]
    await kept(e, Unit("g", [seat.step(P0, offsets[1], at=0)]))
    await kept(e, Unit("ahead", [Step(P0, ahead.epoch, 0, 0, batch.next)]))
    clock.jump(seconds(2 * DAY))
    await sweep(e)
    claim = await seat.now(e)
    assert claim.paused == f"truncated: {offsets[1]}..{offsets[2]}"
    assert isinstance(await commit(e, Unit("g", [seat.step(P0, batch.next, at=offsets[1])])), Conflict), "it is noticed"
    paused = {(p.group, p.partition): p.paused for p in await e.store.progress()}
    assert paused["ahead", P0] is None and paused["g", P1] is None


async def test_a_group_that_loses_more_is_told_all_of_it(e: Engine, clock: SteeredClock) -> None:
    """From the first event that it lost to the last one, whoever had paused it before."""
    needs_sweeps(e)
    if not e.can.one_commit:
        raise Lack("a log that knows its groups")
    seat = await sit(e, keep=DAY)
    await e.store.set_paused("g", [P0], "by hand")
    offsets = []
    for n in (1, 2):
        await e.log.send([event(n)])
        offsets += [r.offset for r in (await e.log.read({P0: await first(e, P0)}, 9))[0].records]
        clock.jump(seconds(2 * DAY))
        await sweep(e)
        assert (await seat.now(e)).paused == f"truncated: {offsets[0]}..{offsets[-1]}"


async def test_a_reset_accepts_the_loss(e: Engine, clock: SteeredClock) -> None:
    needs_sweeps(e)
    if not e.can.one_commit:
        raise Lack("a log that knows its groups")
    seat = await sit(e, keep=DAY)
    await e.log.send([event(1)])
    clock.jump(seconds(2 * DAY))
    await sweep(e)
    await e.log.send([event(2)])
    await e.store.move("g", {P0: await first(e, P0)})
    claims = await e.store.claim("g", "m", {P0: 0})
    assert claims[0].paused is None
    seat.reader.start(claims)
    assert [r.data for _, r in await hear(seat.reader, 1)] == [b"2"]


async def test_records_wait_for_groups_where_the_topic_says_so(e: Engine, clock: SteeredClock) -> None:
    needs_sweeps(e)
    if not e.can.hold_for_groups:
        raise Lack("holding for groups")
    seat = await sit(e, keep=DAY, hold_for_groups=True)
    await e.log.send([event(1), event(2)])
    clock.jump(seconds(2 * DAY))
    assert await sweep(e) == 0
    offsets = [r.offset for r in (await e.log.read({P0: 0}, 9))[0].records]
    await kept(e, Unit("g", [seat.step(P0, offsets[1])]))
    assert await sweep(e) == 1 and await look(e, P0) == [2]
    await e.store.remove("g")
    assert await sweep(e) == 1 and not await look(e, P0)


async def test_retention_leaves_streams_alone(e: Engine, clock: SteeredClock) -> None:
    needs_sweeps(e)
    await prepare(e, keep=DAY)
    await tell(e, event(1, stream=ORDER))
    clock.jump(seconds(2 * DAY))
    assert await sweep(e) == 1
    assert [s.data for s in (await e.store.load([ORDER]))[0].events] == [b"1"]


# ---- compaction ----------------------------------------------------------------------------------------------------


def value(n: int, key: bytes | None, content: bytes | None = b"") -> Event:
    return Event("c", 0, key, n.to_bytes(16, "big"), b"head", b"%d" % n if content == b"" else content)


async def test_compaction_keeps_the_last_value_of_each_key(e: Engine, clock: SteeredClock) -> None:
    needs_sweeps(e)
    await e.log.declare([Topic("c", 1, keep=DAY, compact=True)])
    await e.log.send([value(1, b"a"), value(2, b"b"), value(3, b"a"), value(4, b"c"), value(5, b"a")])
    before = {r.data: r.offset for r in (await e.log.read({C0: 0}, 9))[0].records}
    clock.jump(seconds(2 * DAY))
    assert await sweep(e) == 2
    after = {r.data: r.offset for r in (await e.log.read({C0: 0}, 9))[0].records}
    assert after == {d: before[d] for d in (b"2", b"4", b"5")}, "offsets stay, and so do values however old"
    await e.log.send([value(6, b"b")])
    assert await sweep(e) == 1 and await look(e, C0) == [4, 5, 6]


async def test_compaction_leaves_what_has_no_key(e: Engine, clock: SteeredClock) -> None:
    needs_sweeps(e)
    await e.log.declare([Topic("c", 1, keep=DAY, compact=True)])
    await e.log.send([value(1, None), value(2, b"a"), value(3, None), value(4, b"a")])
    clock.jump(seconds(2 * DAY))
    await sweep(e)
    assert await look(e, C0) == [1, 3, 4]


async def test_compaction_waits_for_nobody(e: Engine, clock: SteeredClock) -> None:
    """A group that is behind gets the last value, which is what such a topic is for."""
    needs_sweeps(e)
    await e.log.declare([Topic("c", 1, keep=DAY, compact=True)])
    claims = await e.store.claim("g", "m", {C0: 0})
    await e.log.send([value(1, b"a"), value(2, b"a")])
    clock.jump(seconds(2 * DAY))
    await sweep(e)
    assert await look(e, C0) == [2]
    assert list(await e.store.renew(claims)) == list(claims)


async def test_compaction_takes_deleted_keys_away(e: Engine, clock: SteeredClock) -> None:
    needs_sweeps(e)
    await e.log.declare([Topic("c", 1, keep=DAY, compact=True)])
    await e.log.send([value(1, b"a"), value(2, b"b"), value(3, b"a", None)])
    clock.jump(seconds(2 * DAY))
    await sweep(e)
    assert await look(e, C0) == [2]


async def test_a_deletion_stays_until_every_group_has_seen_it(e: Engine, clock: SteeredClock) -> None:
    """A group that saw the value and slept over the deletion would keep the value for ever."""
    needs_sweeps(e)
    if not e.can.one_commit:
        raise Lack("a log that knows its groups")
    await e.log.declare([Topic("c", 1, keep=DAY, compact=True)])
    await e.log.send([value(1, b"a")])
    seen = (await e.log.read({C0: 0}, 9))[0].next
    claim = (await e.store.claim("g", "m", {C0: seen}))[0]
    await e.log.send([value(2, b"a", None)])
    clock.jump(seconds(2 * DAY))
    await sweep(e)
    batches = await e.log.read({C0: seen}, 9)
    assert data(batches) == [None]
    assert (await e.store.renew([claim]))[0] == claim, "compaction pauses nobody"
    await kept(e, Unit("g", [Step(C0, claim.epoch, claim.held_gen, seen, batches[0].next)]))
    await sweep(e)
    assert not await e.log.read({C0: 0}, 9)
