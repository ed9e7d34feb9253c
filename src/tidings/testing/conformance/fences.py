"""Claims and the fence of progress: who lost a partition writes nothing there any more."""

from __future__ import annotations

import asyncio

from tidings.engine.port import Engine
from tidings.engine.unit import Address, Answer, Claim, Committed, Conflict, Fenced, Step, Unit, Write
from tidings.testing.conformance.bench import (
    ORDER,
    OTHER_ROW,
    P0,
    P1,
    ROW,
    commit,
    event,
    hear,
    held,
    kept,
    only,
    prepare,
    sit,
    turns,
)


async def test_h17_a_claim_ends_the_one_before(e: Engine, other: Engine) -> None:
    await prepare(e)
    old = await e.store.claim("g", "a", {P0: 0, P1: 0})
    new = await other.store.claim("g", "b", {P0: 0})
    assert new[0].epoch == old[0].epoch + 1
    truth = await e.store.renew(old)
    assert truth[0] is None and truth[1] == old[1]


async def test_claims_come_back_in_the_order_asked(e: Engine) -> None:
    await prepare(e)
    assert [c.partition for c in await e.store.claim("g", "a", {P1: 0, P0: 0})] == [P1, P0]


async def test_groups_are_claimed_apart(e: Engine) -> None:
    await prepare(e)
    mine = await e.store.claim("one", "a", {P0: 0})
    await e.store.claim("two", "b", {P0: 0})
    assert list(await e.store.renew(mine)) == list(mine)


async def test_where_a_group_starts_is_recorded_once(e: Engine) -> None:
    await prepare(e)
    assert (await e.store.claim("g", "a", {P0: 7}))[0].next == 7
    assert (await e.store.claim("g", "a", {P0: 9}))[0].next == 7


async def test_tries_count_claims_without_progress(e: Engine) -> None:
    await prepare(e)
    for n in (1, 2):
        assert (await e.store.claim("g", "a", {P0: 0}))[0].tries == n
    claim = (await e.store.claim("g", "a", {P0: 0}))[0]
    await kept(e, Unit("g", [Step(P0, claim.epoch, claim.held_gen, 0, 0)]))
    claim = (await e.store.claim("g", "a", {P0: 0}))[0]
    assert claim.tries == 4, "a unit that moves nothing is no progress"
    await kept(e, Unit("g", [Step(P0, claim.epoch, claim.held_gen, 0, 5)]))
    assert (await e.store.claim("g", "a", {P0: 0}))[0].tries == 1


async def test_renewing_changes_nothing(e: Engine) -> None:
    seat = await sit(e)
    mine = list(seat.claims.values())
    assert list(await e.store.renew(mine)) == list(await e.store.renew(mine)) == mine


async def test_a_claim_that_never_was_is_no_claim(e: Engine) -> None:
    await prepare(e)
    assert list(await e.store.renew([Claim("nobody", P0, 1, 0, 0)])) == [None]
    assert isinstance(await commit(e, Unit("nobody", [Step(P0, 1, 0, 0, 1)])), Fenced)


async def test_release_keeps_progress(e: Engine) -> None:
    seat = await sit(e)
    await kept(e, Unit("g", [seat.step(P0, 3)]))
    await e.store.release(list(seat.claims.values()))
    row = next(p for p in await e.store.progress("g") if p.partition == P0)
    assert (row.next, row.owner) == (3, "")
    assert (await e.store.claim("g", "m", {P0: 0}))[0].tries == 1, "a clean hand-over is no try"


async def test_h17_a_zombie_releases_nothing(e: Engine, other: Engine) -> None:
    seat = await sit(e)
    await other.store.claim("g", "thief", {P0: 0})
    await e.store.release([seat.claims[P0]])
    owners = {p.partition: p.owner for p in await e.store.progress("g")}
    assert owners[P0] == "thief" and owners[P1] == "m"


# ---- commits -------------------------------------------------------------------------------------------------------


async def test_a_unit_is_kept_whole(e: Engine) -> None:
    seat = await sit(e)
    unit = Unit("g", [seat.step(P0, 5)], events=[event(1, 1)], writes=[Write(ROW, ["a", 1])], hold=[held(2)])
    await kept(e, unit)
    assert [r.data for _, r in await hear(seat.reader, 1)] == [b"1"]
    row = (await e.store.rows([ROW]))[0]
    assert row and list(row[1]) == ["a", 1]
    claim = await seat.now(e)
    assert (claim.next, claim.held_gen) == (5, 1)


async def test_an_empty_unit_is_kept(e: Engine) -> None:
    await prepare(e)
    await kept(e, Unit())
    assert list(await e.store.commit([])) == []


async def test_h17_a_zombie_writes_nothing(e: Engine, other: Engine) -> None:
    seat = await sit(e)
    await other.store.claim("g", "thief", {P0: 0})
    unit = Unit("g", [seat.step(P0, 5)], events=[event(1, 1)], writes=[Write(ROW, ["a", 1])], hold=[held(2)])
    answer = await commit(e, unit)
    assert isinstance(answer, Fenced) and list(answer.partitions) == [P0]
    assert (await e.store.rows([ROW]))[0] is None
    assert not await e.store.held(await e.store.claim("g", "m", {P0: 0}), None, 9)
    await only(e, seat.reader)


async def test_h17_a_commit_and_a_claim_never_both_win(e: Engine, other: Engine) -> None:
    """Many conditions make the time between check and write long; a claim comes in it, at another moment each round."""

    async def steal(after: int) -> Claim:
        await turns(after)
        return (await other.store.claim("g", "thief", {P0: 0}))[0]

    await prepare(e)
    for n in range(24):
        mine = (await e.store.claim("g", "m", {P0: 0}))[0]
        expect = {Address("order", f"{n}-{i}"): 0 for i in range(300)}
        step = Step(P0, mine.epoch, mine.held_gen, mine.next, mine.next + 1)
        answer, theirs = await asyncio.gather(commit(e, Unit("g", [step], expect=expect)), steal(n))
        assert theirs.next == mine.next + isinstance(answer, Committed), answer
        assert (await e.store.claim("g", "m", {P0: 0}))[0].next == theirs.next, answer


async def test_wrong_progress_is_fenced(e: Engine) -> None:
    seat = await sit(e)
    assert isinstance(await commit(e, Unit("g", [seat.step(P0, 9, at=4)])), Fenced)


async def test_a_fence_hides_no_other_and_is_told_first(e: Engine) -> None:
    seat = await sit(e)
    unit = Unit("g", [seat.step(P0, 9, at=4), seat.step(P1, 9, at=4)], expect={ROW: 7})
    answer = await commit(e, unit)
    assert isinstance(answer, Fenced) and set(answer.partitions) == {P0, P1}


async def test_a_chain_commits_in_one_call(e: Engine) -> None:
    seat = await sit(e)
    units = [Unit("g", [seat.step(P0, n + 1, at=n)], events=[event(n)]) for n in range(5)]
    assert all(isinstance(a, Committed) for a in await e.store.commit(units))
    assert [r.data for _, r in await hear(seat.reader, 5)] == [b"%d" % n for n in range(5)]


async def test_a_broken_chain_is_fenced_to_its_end(e: Engine) -> None:
    seat = await sit(e)
    units = [Unit("g", [seat.step(P0, n + 1, at=n)], expect={ROW: n}) for n in (0, 1, 2)]
    assert [type(a) for a in await e.store.commit(units)] == [Committed, Conflict, Fenced]


async def test_a_chain_may_be_in_flight(e: Engine) -> None:
    seat = await sit(e)
    flights = [e.store.commit([Unit("g", [seat.step(P0, n + 1, at=n)])]) for n in range(20)]
    answers: list[list[Answer]] = [list(a) for a in await asyncio.gather(*flights)]
    assert all(isinstance(a[0], Committed) for a in answers)
    assert (await seat.now(e)).next == 20


async def test_one_units_refusal_is_not_anothers(e: Engine) -> None:
    seat = await sit(e)
    units = [
        Unit("g", [seat.step(P0, 9, at=4)]),
        Unit("g", [seat.step(P1, 1)]),
        Unit(expect={ROW: 3}),
        Unit(events=[event(1, topic="nowhere")]),
        Unit(writes=[Write(OTHER_ROW, ["b", 1])]),
    ]
    kinds = [type(a).__name__ for a in await e.store.commit(units)]
    assert kinds == ["Fenced", "Committed", "Conflict", "Failed", "Committed"]


async def test_units_of_one_call_see_each_other_in_order(e: Engine) -> None:
    await prepare(e)
    units = [
        Unit(expect={ORDER: at}, events=[event(n, stream=ORDER, version=at + 1)]) for n, at in enumerate((0, 1, 1, 2))
    ]
    assert [type(a) for a in await e.store.commit(units)] == [Committed, Committed, Conflict, Committed]


async def test_h18_a_unit_of_two_partitions_names_the_fenced_one(e: Engine) -> None:
    seat = await sit(e)
    await e.store.claim("g", "thief", {P1: 0})
    answer = await commit(e, Unit("g", [seat.step(P0, 1), seat.step(P1, 1)]))
    assert isinstance(answer, Fenced) and list(answer.partitions) == [P1]
    await kept(e, Unit("g", [seat.step(P0, 1)]))


async def test_a_topic_that_nobody_declared_fails_its_unit_alone(e: Engine) -> None:
    seat = await sit(e)
    bad = Unit("g", [seat.step(P0, 1)], events=[event(1), event(2, topic="u")])
    answers = await e.store.commit([bad, Unit(events=[event(3, 1)])])
    assert [type(a).__name__ for a in answers] == ["Failed", "Committed"]
    assert (await seat.now(e)).next == 0
    await only(e, seat.reader, 3)
