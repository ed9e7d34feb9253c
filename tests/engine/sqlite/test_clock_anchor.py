"""H39: the file's clock. A wall clock that is set does nothing to leases and timers; another boot ends every lease."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.sqlite.kit import P0, child, event, fresh, kept, opened, tell
from tidings import Service, System
from tidings.clock import MICRO, SystemClock
from tidings.engine.sqlite import anchor
from tidings.engine.unit import Step, Unit
from tidings.settings import Settings
from tidings.system import open_runtime

pytestmark = pytest.mark.anyio
HOUR = 3600 * MICRO


class Machine:
    """Its wall clock, its time since boot and its boot id, as the test sets them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.up, self.boot = 1_700_000_000 * MICRO, 50 * MICRO, "first"
        monkeypatch.setattr(anchor, "boot_id", lambda: self.boot)
        monkeypatch.setattr(anchor, "since_boot", lambda: self.up)
        monkeypatch.setattr(SystemClock, "now", lambda _: self.wall)

    def run(self, seconds: float) -> None:
        self.wall += int(seconds * MICRO)
        self.up += int(seconds * MICRO)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


@pytest.mark.parametrize("hours", [-1, 1])
async def test_h39_a_wall_clock_that_is_set_moves_nothing_while_somebody_is_at_work(
    tmp_path: Path, machine: Machine, hours: int
) -> None:
    path = tmp_path / "x.db"
    async with fresh(path) as engine:
        reader = await engine.log.join("g", ["t"], "a")
        await reader.change()
        before = await engine.store.now()
        machine.wall += hours * HOUR
        assert await engine.store.now() == before
        async with opened(path) as other:
            assert await other.store.now() == before, "whoever opens the file now takes over its time"
            assert all(seated.alive for seated in await other.log.members("g"))
            machine.run(2)
            assert await engine.store.now() == await other.store.now() == before + 2 * MICRO
            await tell(other, event(1))
            record = (await other.log.read({P0: 0}, 1))[0].records[0]
            assert record.time == before + 2 * MICRO


@pytest.mark.parametrize("hours", [-1, 1])
async def test_h39_who_finds_nobody_at_work_sets_the_clock_right_for_all(
    tmp_path: Path, machine: Machine, hours: int
) -> None:
    """Else a machine that booted with a wrong clock would keep it until it boots again."""
    path = tmp_path / "x.db"
    async with fresh(path) as engine:
        machine.wall += hours * HOUR
        async with opened(path) as other:
            assert await other.store.now() == machine.wall
            await tell(engine, event(1))
            assert await engine.store.now() == machine.wall, "one who had it open follows with its next commit"


async def test_h39_a_file_that_wakes_up_in_another_boot_has_no_members_and_no_owners(
    tmp_path: Path, machine: Machine
) -> None:
    """Its members' beats may lie in the future of the new clock: they would live for ever."""
    path = tmp_path / "x.db"
    async with fresh(path) as engine:
        await engine.log.join("g", ["t"], "a")
        claim = (await engine.store.claim("g", "a", {P0: 0}))[0]
        await kept(engine, Unit("g", [Step(P0, claim.epoch, claim.held_gen, 0, 5)]))
    machine.wall, machine.up, machine.boot = machine.wall - HOUR, 3 * MICRO, "second"
    async with opened(path) as engine:
        assert await engine.store.now() == machine.wall
        assert not await engine.log.members()
        row = (await engine.store.progress("g"))[0]
        assert (row.owner, row.next, row.epoch) == ("", 5, claim.epoch)
        assert [line.member for line in await engine.store.handled(P0, 3)] == ["a"]
        assert (await engine.store.claim("g", "b", {P0: 0}))[0].epoch == claim.epoch + 1


async def test_h39_processes_of_one_machine_read_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with fresh(path) as engine, child("says_now", path) as other:
        before = await engine.store.now()
        theirs = int(await other.said())
        assert before <= theirs <= await engine.store.now()


async def test_where_the_system_has_no_boot_id_the_wall_clock_is_used(tmp_path: Path, machine: Machine) -> None:
    machine.boot = ""
    async with fresh(tmp_path / "x.db") as engine:
        machine.wall += HOUR
        assert await engine.store.now() == machine.wall


async def test_h39_a_system_reckons_by_the_clock_of_its_file(tmp_path: Path, machine: Machine) -> None:
    """Or what shall happen in an hour would happen at once, on a machine whose wall clock was set back."""
    settings = Settings(store=f"sqlite:///{tmp_path}/x.db")
    async with open_runtime(System("empty", [Service("idle")]).program, settings) as runtime:
        machine.wall -= HOUR
        machine.run(1)
        assert runtime.clock.now() == await runtime.engine.store.now() == machine.wall + HOUR
