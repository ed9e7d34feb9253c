"""Streams and their snapshots, as they are read."""

from __future__ import annotations

from tidings.engine.port import Engine
from tidings.engine.unit import Address, Event, Snapshot, Unit
from tidings.testing.conformance.bench import ORDER, event, kept, prepare

TWO = Address("order", "2")


async def test_streams_load_in_the_order_asked(e: Engine, other: Engine) -> None:
    await prepare(e)
    await kept(e, Unit(events=[event(1, stream=TWO), event(2, stream=ORDER), event(3, stream=TWO)]))
    found = await other.store.load([ORDER, Address("order", "none"), TWO])
    assert [(h.address.key, h.version, [s.data for s in h.events]) for h in found] == [
        ("1", 1, [b"2"]), ("none", 0, []), ("2", 2, [b"1", b"3"]),
    ]  # fmt: skip


async def test_an_event_of_a_stream_keeps_its_bytes_and_time(e: Engine) -> None:
    await prepare(e)
    odd = [
        Event(None, 0, None, b"\xff" * 16, bytes(range(256)), None, ORDER),
        Event("t", 0, b"k", b"\xfe" * 16, b"", b"", ORDER),
    ]
    now = await e.store.now()
    await kept(e, Unit(events=odd))
    stored = (await e.store.load([ORDER]))[0].events
    assert [(s.version, s.id, s.head, s.data) for s in stored] == [
        (1, b"\xff" * 16, bytes(range(256)), None), (2, b"\xfe" * 16, b"", b""),
    ]  # fmt: skip
    assert all(abs(s.time - now) < 3600e6 for s in stored)


async def test_a_stream_loads_up_to_a_version(e: Engine) -> None:
    await prepare(e)
    await kept(e, Unit(events=[event(n, stream=ORDER) for n in range(5)]))
    assert [s.version for s in (await e.store.load([ORDER], to=3))[0].events] == [1, 2, 3]
    assert [s.version for s in (await e.store.load([ORDER], to=9))[0].events] == [1, 2, 3, 4, 5]


async def test_a_snapshot_stands_for_what_is_before_it(e: Engine) -> None:
    await prepare(e)
    await kept(e, Unit(events=[event(n, stream=ORDER) for n in range(5)]))
    await e.store.keep([Snapshot(ORDER, 3, "v1", b"state"), Snapshot(TWO, 1, "v1", b"other")])
    found = (await e.store.load([ORDER], "v1"))[0]
    assert found.snapshot == (3, b"state") and [s.version for s in found.events] == [4, 5] and found.version == 5
    plain = (await e.store.load([ORDER]))[0]
    assert plain.snapshot is None and len(plain.events) == 5


async def test_h42_a_snapshot_of_another_shape_is_ignored(e: Engine) -> None:
    await prepare(e)
    await kept(e, Unit(events=[event(n, stream=ORDER) for n in range(5)]))
    await e.store.keep([Snapshot(ORDER, 3, "v1", b"state")])
    found = (await e.store.load([ORDER], "v2"))[0]
    assert found.snapshot is None and len(found.events) == 5


async def test_a_snapshot_above_the_version_asked_is_ignored(e: Engine) -> None:
    await prepare(e)
    await kept(e, Unit(events=[event(n, stream=ORDER) for n in range(5)]))
    await e.store.keep([Snapshot(ORDER, 4, "v1", b"state")])
    found = (await e.store.load([ORDER], "v1", to=2))[0]
    assert found.snapshot is None and [s.version for s in found.events] == [1, 2]


async def test_the_newest_snapshot_is_the_one(e: Engine) -> None:
    """Two members keep one each, and the slower comes last."""
    await prepare(e)
    await kept(e, Unit(events=[event(n, stream=ORDER) for n in range(5)]))
    await e.store.keep([Snapshot(ORDER, 4, "v1", b"new")])
    await e.store.keep([Snapshot(ORDER, 2, "v1", b"old")])
    assert (await e.store.load([ORDER], "v1"))[0].snapshot == (4, b"new")


async def test_streams_are_listed_by_page(e: Engine) -> None:
    await prepare(e)
    await kept(e, Unit(events=[event(n, stream=Address("order", f"{n}")) for n in range(5)]))
    await kept(e, Unit(events=[event(9, stream=Address("bill", "9")), event(10, stream=Address("order", "3"))]))
    assert [tuple(found) for found in await e.store.streams("order", "", 9)] == [
        ("0", 1), ("1", 1), ("2", 1), ("3", 2), ("4", 1),
    ]  # fmt: skip
    assert [key for key, _ in await e.store.streams("order", "1", 2)] == ["2", "3"]
    assert not await e.store.streams("none", "", 9)


async def test_spaces_with_streams_are_listed(e: Engine) -> None:
    await prepare(e)
    assert list(await e.store.spaces()) == []
    await kept(e, Unit(events=[event(1, stream=ORDER), event(2, stream=Address("bill", "9")), event(3, stream=TWO)]))
    assert list(await e.store.spaces()) == ["bill", "order"]
