"""The relay: whatever moment it dies at, the log has every event under one mark each."""

from __future__ import annotations

import pytest

from tidings import signals
from tidings.delivery.relay import relay
from tidings.engine import open_engine
from tidings.engine.port import Engine, Topic
from tidings.engine.unit import Event, Failed, Mark, Partition, Record, Unit, Unknown

P0 = Partition("t", 0)


class Died(Exception):
    pass


def die() -> None:
    raise Died


async def split() -> Engine:
    engine = await open_engine("memory:split")
    await engine.log.declare([Topic("t", 1)])
    return engine


def event(n: int) -> Event:
    return Event("t", 0, b"k", bytes([n]) * 16, b"head", b"%d" % n)


async def records(engine: Engine) -> list[Record]:
    return [record for batch in await engine.log.read({P0: 0}, 99) for record in batch.records]


@pytest.mark.anyio
async def test_a_turn_sends_what_waits_in_order() -> None:
    engine = await split()
    assert engine.outbox is not None
    await engine.store.commit([Unit(events=[event(1), event(2)]), Unit(events=[event(3)])])
    epoch = await engine.outbox.lane(0, 1, "a")
    assert await relay(engine.outbox, engine.log, 0, epoch)
    assert [(r.data, r.mark) for r in await records(engine)] == [
        (b"%d" % n, Mark("memory", 1, n)) for n in (1, 2, 3)
    ]  # fmt: skip


@pytest.mark.anyio
@pytest.mark.parametrize(("point", "times"), [("relay.taken", 1), ("relay.sent", 2)])
async def test_h10_a_relay_that_died_is_followed_by_one_that_sends_the_same(point: str, times: int) -> None:
    """Dead before the log had them: once. Dead before the outbox heard of it: twice, and by the mark the same."""
    engine = await split()
    assert engine.outbox is not None
    await engine.store.commit([Unit(events=[event(1), event(2)])])
    epoch = await engine.outbox.lane(0, 1, "a")
    with signals.listening(point, die), pytest.raises(Died):
        await relay(engine.outbox, engine.log, 0, epoch)
    await engine.store.commit([Unit(events=[event(3)])])
    epoch = await engine.outbox.lane(0, 1, "b")
    for _ in range(2):
        assert await relay(engine.outbox, engine.log, 0, epoch)
    sent = [(r.mark.sequence, r.data) for r in await records(engine) if r.mark]
    assert sent == [(1, b"1"), (2, b"2")] * times + [(3, b"3")]


@pytest.mark.anyio
async def test_h09_a_relay_that_was_replaced_stops() -> None:
    engine = await split()
    assert engine.outbox is not None
    await engine.store.commit([Unit(events=[event(1)])])
    old = await engine.outbox.lane(0, 1, "a")
    await engine.outbox.lane(0, 1, "b")
    assert not await relay(engine.outbox, engine.log, 0, old)
    assert not await records(engine)


class Unsure:
    """A log that took the first event, will never take the second, and whose answer about the rest was lost."""

    async def send(self, events: list[Event], marks: list[Mark]) -> list[int | Failed | Unknown]:
        assert len(events) == len(marks) == 4
        return [7, Failed("too large"), Unknown("lost"), Unknown("behind it")]


@pytest.mark.anyio
async def test_h11_only_what_the_log_acknowledged_leaves_the_outbox() -> None:
    engine = await split()
    assert engine.outbox is not None
    answers = await engine.store.commit([Unit(events=[event(n)], receipt=True) for n in (1, 2, 3, 4)])
    epoch = await engine.outbox.lane(0, 1, "a")
    assert await relay(engine.outbox, Unsure(), 0, epoch)  # type: ignore[arg-type]
    assert await relay(engine.outbox, engine.log, 0, epoch)
    assert [(r.data, r.mark and r.mark.sequence) for r in await records(engine)] == [(b"3", 3), (b"4", 4)]
    reached = [await engine.store.reached("-", a.receipt, 0.0) for a in answers]  # type: ignore[union-attr]
    assert reached == [True, False, True, True]
