"""What was done, for people: the ledger, notes, counters; and how long they stay."""

from __future__ import annotations

from tidings.clock import seconds
from tidings.engine.port import Engine
from tidings.engine.unit import Handling, Note, Once, Partition, Snapshot, Step, Unit
from tidings.testing.clock import SteeredClock
from tidings.testing.conformance.bench import DAY, ORDER, P0, P1, commit, event, kept, prepare, sit


async def handled(e: Engine, offset: int, part: Partition = P0) -> list[tuple[str, str, int]]:
    lines = await e.store.handled(part, offset)
    assert all(line.partition == part and line.first <= offset < line.next for line in lines)
    return [(line.group, line.member, line.epoch) for line in lines]


async def test_the_ledger_says_who_finished_an_event(e: Engine) -> None:
    seat, second = await sit(e, member="a"), await sit(e, "second", member="z")
    await kept(e, Unit("g", [seat.step(P0, 5)]))
    await kept(e, Unit("second", [second.step(P0, 9)]))
    thief = (await e.store.claim("g", "b", {P0: 0}))[0]
    await kept(e, Unit("g", [Step(P0, thief.epoch, thief.held_gen, 5, 7)]))
    assert await handled(e, 0) == await handled(e, 4) == [("g", "a", 1), ("second", "z", 1)]
    assert await handled(e, 5) == [("g", "b", 2), ("second", "z", 1)]
    assert await handled(e, 7) == [("second", "z", 1)]
    assert not await handled(e, 9) and not await handled(e, 0, P1)


async def test_the_ledger_has_no_holes(e: Engine) -> None:
    seat = await sit(e)
    for n in range(5):
        await kept(e, Unit("g", [seat.step(P0, n + 1, at=n)]))
    assert [await handled(e, n) for n in range(6)] == [[("g", "m", 1)]] * 5 + [[]]


async def test_a_refused_unit_is_not_in_the_ledger(e: Engine) -> None:
    seat = await sit(e)
    await commit(e, Unit("g", [seat.step(P0, 5), seat.step(P1, 9, at=4)], tally={"handled": 5}))
    assert not await handled(e, 0) and not await e.store.tallies("g")


async def test_what_is_handled_twice_stands_twice(e: Engine) -> None:
    """After a reset the same events are handled again, and both are told."""
    seat = await sit(e)
    await kept(e, Unit("g", [seat.step(P0, 5)]))
    await e.store.move("g", {P0: 0})
    claim = (await e.store.claim("g", "n", {P0: 0}))[0]
    await kept(e, Unit("g", [Step(P0, claim.epoch, claim.held_gen, 0, 3)]))
    assert await handled(e, 1) == [("g", "m", 1), ("g", "n", claim.epoch)]
    assert await handled(e, 4) == [("g", "m", 1)]


async def test_the_ledger_is_read_in_pages(e: Engine) -> None:
    """Lines that ended, in that order; the one that grows ends where progress stands."""
    seat, stranger = await sit(e, member="a"), await sit(e, "stranger")
    for n in range(3):
        await kept(e, Unit("g", [seat.step(P0, n + 1, at=n)]))
    await kept(e, Unit("stranger", [stranger.step(P0, 9)]))
    thief = (await e.store.claim("g", "b", {P0: 0}))[0]
    await kept(e, Unit("g", [Step(P0, thief.epoch, thief.held_gen, 3, 7)]))
    await e.store.claim("g", "c", {P0: 0})
    lines = await pages(e, "g")
    ends = [0, *(line.next for line in lines)]
    assert [line.first for line in lines] == ends[:-1] and ends[-1] <= 7, "no holes, nothing twice"
    assert {(line.group, line.member, line.epoch) for line in lines if line.next <= 3} == {("g", "a", 1)}
    assert {(line.group, line.member, line.epoch) for line in lines if line.next > 3} <= {("g", "b", 2)}
    assert not await pages(e, "none")


async def pages(e: Engine, group: str) -> list[Handling]:
    found: list[Handling] = []
    after = 0
    while page := await e.store.ledger(group, after, 2):
        assert len(page) <= 2 and all(number > after for number, _ in page)
        after = max(number for number, _ in page)
        found += [line for _, line in page]
    return found


async def test_the_ledger_keeps_its_numbers_when_lines_go(e: Engine, clock: SteeredClock) -> None:
    seat = await sit(e)
    epoch, at = 1, 0
    for to in (3, 7):
        await kept(e, Unit("g", [Step(P0, epoch, seat.claims[P0].held_gen, at, to)]))
        epoch, at = (await e.store.claim("g", "m", {P0: 0}))[0].epoch, to
    read = max((number for number, _ in await e.store.ledger("g", 0, 99)), default=0)
    clock.jump(seconds(1000 * DAY))
    while await e.store.purge(100):
        pass
    for to in (9, 12):
        await kept(e, Unit("g", [Step(P0, epoch, seat.claims[P0].held_gen, at, to)]))
        epoch, at = (await e.store.claim("g", "m", {P0: 0}))[0].epoch, to
    assert [line.next for _, line in await e.store.ledger("g", read, 99)][:1] == [9]


async def test_tallies_add_up_by_group(e: Engine) -> None:
    seat = await sit(e)
    assert await e.store.tallies("g") == {}
    await kept(e, Unit("g", [seat.step(P0, 1)], tally={"handled": 3, "rejected": 1}))
    await kept(e, Unit("g", [seat.step(P0, 2, at=1)], tally={"handled": 2}))
    await kept(e, Unit("other", tally={"handled": 9}))
    assert await e.store.tallies("g") == {"handled": 5, "rejected": 1}


async def test_the_first_note_of_an_event_stays(e: Engine) -> None:
    seat = await sit(e)
    await kept(e, Unit("g", [seat.step(P0, 3)], notes=[Note(P0, 1, "rejected", "no stock")]))
    await kept(e, Unit("g", [seat.step(P0, 4, at=3)], notes=[Note(P0, 1, "dropped", "later")]))
    await kept(e, Unit("other", notes=[Note(P0, 1, "unknown", "of another group")]))
    now = await e.store.now()
    found = await e.store.notes("g", 9)
    assert [(n.group, n.partition, n.offset, n.outcome, n.text) for n in found] == [
        ("g", P0, 1, "rejected", "no stock")
    ]
    assert abs(found[0].time - now) < 3600e6


async def test_notes_come_newest_first(e: Engine, clock: SteeredClock) -> None:
    await prepare(e)
    for n in range(4):
        note = Note((P0, P1)[n % 2], n, "rejected", str(n))
        await kept(e, Unit(("g", "other")[n // 3], notes=[note]))
        clock.jump(seconds(1.0))
    assert [n.text for n in await e.store.notes("g", 2)] == ["2", "1"]
    assert [n.text for n in await e.store.notes(None, 9)] == ["3", "2", "1", "0"]


# ---- how long ------------------------------------------------------------------------------------------------------


async def fill(e: Engine) -> None:
    seat = await sit(e)
    await kept(
        e,
        Unit(
            "g", [seat.step(P0, 5)], once=[Once("s", b"x", b"memo"), Once("s", b"y")],
            notes=[Note(P0, 1, "rejected", "")], events=[event(1, stream=ORDER)], tally={"handled": 1},
        ),
    )  # fmt: skip
    await e.store.keep([Snapshot(ORDER, 1, "v1", b"state")])


async def test_h13_what_is_young_is_not_purged(e: Engine, clock: SteeredClock) -> None:
    await prepare(e)
    await fill(e)
    clock.jump(seconds(3600.0))
    assert await e.store.purge(100) == 0
    assert await e.store.memo("s", b"x") and await e.store.notes("g", 9) and await e.store.handled(P0, 1)


async def test_h12_what_is_old_is_purged_in_bounded_steps(e: Engine, clock: SteeredClock) -> None:
    await prepare(e)
    await fill(e)
    clock.jump(seconds(1000 * DAY))
    steps = []
    while step := await e.store.purge(2):
        steps.append(step)
    assert sum(steps) >= 4 and max(steps) <= 2
    assert await e.store.memo("s", b"x") is None and await e.store.memo("s", b"y") is None
    assert not await e.store.notes("g", 9)
    assert (await e.store.load([ORDER], "v1"))[0].snapshot is None


async def test_h12_state_and_progress_are_never_purged(e: Engine, clock: SteeredClock) -> None:
    await prepare(e)
    await fill(e)
    clock.jump(seconds(1000 * DAY))
    while await e.store.purge(100):
        pass
    assert (await e.store.load([ORDER]))[0].version == 1
    assert next(p.next for p in await e.store.progress("g") if p.partition == P0) == 5
    assert await e.store.tallies("g") == {"handled": 1}
