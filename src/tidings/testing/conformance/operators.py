"""What operators do to groups: seen by the owner, kept in one commit, audited."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from tidings.clock import seconds
from tidings.engine.port import Engine, Table
from tidings.engine.unit import Address, Conflict, Fenced, Mark, Step, Unit, Write
from tidings.testing.clock import SteeredClock
from tidings.testing.conformance.bench import (
    OTHER_ROW,
    P0,
    P1,
    ROW,
    commit,
    held,
    kept,
    prepare,
    sit,
    timer,
)


async def test_h35_operators_see_held_and_parked(e: Engine) -> None:
    seat = await sit(e)
    await kept(e, Unit("g", [seat.step(P0, 9)], hold=[held(3), held(5, due=0), held(6, b"other")]))
    rows = {p.partition: p for p in await e.store.progress("g")}
    row = rows[P0]
    assert (row.group, row.next, row.epoch, row.owner, row.held_gen) == ("g", 9, 1, "m", 1)
    assert (row.held, row.parked, row.oldest, row.paused) == (3, 2, 1, None)
    assert (rows[P1].held, rows[P1].parked, rows[P1].oldest) == (0, 0, None)


async def test_progress_is_told_of_one_group_or_all(e: Engine) -> None:
    await sit(e, "one")
    await sit(e, "two")
    assert {p.group for p in await e.store.progress()} == {"one", "two"}
    assert {p.group for p in await e.store.progress("one")} == {"one"}
    assert not await e.store.progress("none")


# ---- reset ---------------------------------------------------------------------------------------------------------


async def test_reset_ends_every_claim_and_clears_what_is_held(e: Engine) -> None:
    seat = await sit(e)
    step = Step(P0, seat.claims[P0].epoch, 0, 0, 9, [Mark("a", 1, 41)])
    await kept(e, Unit("g", [step], hold=[held(3)], timers=[timer("x", 5)]))
    await e.store.move("g", {P0: 9})
    assert isinstance(await commit(e, Unit("g", [seat.step(P0, 10, at=9, gen=2)])), Fenced), "also at the same place"
    await e.store.move("g", {P0: 2})
    claims = await e.store.claim("g", "m", {P0: 0})
    assert (claims[0].next, claims[0].marks, claims[0].tries) == (2, (), 1)
    assert not await e.store.held(claims, None, 9) and not await e.store.timers(claims, 9)


async def test_reset_touches_only_what_is_named(e: Engine) -> None:
    seat, stranger = await sit(e), await sit(e, "stranger")
    await kept(e, Unit("g", [seat.step(P1, 9)], hold=[held(3, part=P1)], timers=[timer("x", 5, P1)]))
    await kept(e, Unit("stranger", [stranger.step(P0, 9)], hold=[held(4)]))
    await kept(e, Unit(writes=[Write(ROW, ["a", 1])]))
    await e.store.move("g", {P0: 0})
    assert (await seat.now(e, P1)).next == 9 and (await stranger.now(e)).next == 9
    assert (
        len(await e.store.held([seat.claims[P1]], None, 9)) == 1
        and len(await e.store.timers([seat.claims[P1]], 9)) == 1
    )
    assert (await e.store.rows([ROW]))[0]


async def test_h33_reset_empties_tables_in_the_same_commit(e: Engine) -> None:
    await sit(e)
    await e.store.tables([Table("cellars", [("id", "text")])])
    cellar = Address("cellars", "a")
    await kept(e, Unit(writes=[Write(ROW, ["a", 1]), Write(OTHER_ROW, ["b", 1]), Write(cellar, ["a"])]))
    await e.store.move("g", {P0: 0}, ["shelves"])
    rows = await e.store.rows([ROW, OTHER_ROW, cellar])
    assert rows[0] is None and rows[1] is None and rows[2] is not None


async def test_h32_a_muted_reset_says_how_far_effects_are_muted(e: Engine) -> None:
    seat = await sit(e)
    await kept(e, Unit("g", [seat.step(P0, 9)]))
    assert seat.claims[P0].muted == 0
    await e.store.move("g", {P0: 2}, muted=True)
    claim = (await e.store.claim("g", "m", {P0: 0}))[0]
    assert (claim.next, claim.muted) == (2, 9)
    assert (await e.store.renew([claim]))[0] == claim
    await kept(e, Unit("g", [Step(P0, claim.epoch, claim.held_gen, 2, 4)]))
    await e.store.move("g", {P0: 0}, muted=True)
    claim = (await e.store.claim("g", "m", {P0: 0}))[0]
    assert claim.muted == 9, "they were told up to there, whatever was replayed since"
    await e.store.move("g", {P0: 0})
    assert (await e.store.claim("g", "m", {P0: 0}))[0].muted == 0


async def test_reset_leaves_an_operators_pause(e: Engine) -> None:
    await sit(e)
    await e.store.set_paused("g", [P0], "by hand")
    await e.store.move("g", {P0: 0})
    assert (await e.store.claim("g", "m", {P0: 0}))[0].paused == "by hand"


async def test_a_group_may_be_placed_before_it_first_runs(e: Engine) -> None:
    await prepare(e)
    await e.store.move("g", {P0: 5})
    assert (await e.store.claim("g", "m", {P0: 0}))[0].next == 5


# ---- pause, remove -------------------------------------------------------------------------------------------------


async def test_a_pause_is_noticed(e: Engine, other: Engine) -> None:
    seat = await sit(e)
    await other.store.set_paused("g", [P0], "by hand")
    answer = await commit(e, Unit("g", [seat.step(P0, 1)]))
    assert isinstance(answer, Conflict) and list(answer.held) == [P0]
    claim = await seat.now(e)
    assert claim.paused == "by hand" and claim.held_gen == 1
    assert (await seat.now(e, P1)).paused is None
    await other.store.set_paused("g", [P0], None)
    claim = await seat.now(e)
    assert claim.paused is None and claim.held_gen == 2


async def test_a_removed_group_is_gone(e: Engine) -> None:
    seat, stranger = await sit(e), await sit(e, "stranger")
    await kept(e, Unit("g", [seat.step(P0, 9)], hold=[held(3)], timers=[timer("x", 5)], tally={"handled": 1}))
    await e.store.remove("g")
    assert not await e.store.progress("g") and not await e.store.tallies("g")
    assert list(await e.store.renew([seat.claims[P0], stranger.claims[P0]])) == [None, stranger.claims[P0]]
    claims = await e.store.claim("g", "m", {P0: 3})
    assert claims[0].next == 3 and not await e.store.held(claims, None, 9) and not await e.store.timers(claims, 9)


async def test_timers_go_with_their_group_wherever_they_are(e: Engine) -> None:
    """Also where the group has claimed nothing yet."""
    await prepare(e)
    await kept(e, Unit("g", timers=[timer("x", 5, P1)]))
    await e.store.remove("g")
    assert not await e.store.timers(await e.store.claim("g", "m", {P1: 0}), 9)


async def test_h17_members_of_a_removed_group_stay_fenced(e: Engine) -> None:
    """The group comes back under its name, and stands where the zombie believes that it stands."""
    seat = await sit(e)
    await e.store.remove("g")
    claim = (await e.store.claim("g", "new", {P0: 0}))[0]
    assert claim.epoch > seat.claims[P0].epoch
    assert isinstance(await commit(e, Unit("g", [seat.step(P0, 1)])), Fenced)


# ---- audit ---------------------------------------------------------------------------------------------------------


async def test_what_operators_do_is_audited(e: Engine, clock: SteeredClock) -> None:
    seat = await sit(e)
    await kept(e, Unit("g", [seat.step(P0, 9)], hold=[held(3), held(4, b"other")]))
    deeds: list[tuple[str, Callable[[], Awaitable[object]]]] = [
        ("pause", lambda: e.store.set_paused("g", [P0], "by hand")),
        ("resume", lambda: e.store.set_paused("g", [P0], None)),
        ("redrive", lambda: e.store.redrive("g", P0, b"k", False)),
        ("drop", lambda: e.store.redrive("g", P0, b"other", True)),
        ("reset", lambda: e.store.move("g", {P0: 0}, muted=True)),
        ("remove", lambda: e.store.remove("g")),
    ]
    began = await e.store.now()
    for _, deed in deeds:
        await deed()
        clock.jump(seconds(1.0))
    acts = await e.store.acts(99)
    assert [a.act for a in acts] == [name for name, _ in reversed(deeds)]
    assert all(a.group == "g" and a.who and isinstance(json.loads(a.detail), dict) for a in acts)
    assert all(began - 3600e6 < a.time for a in acts)
    assert "by hand" in acts[-1].detail and "t/0" in acts[-1].detail and "t/0" in acts[1].detail
    assert [json.loads(a.detail)["key"] for a in acts[2:4]] == ["other", "k"], "as people know them"
    assert [a.act for a in await e.store.acts(2)] == ["remove", "reset"]
