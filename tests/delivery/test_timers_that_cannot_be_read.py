"""A timer whose bytes nobody can read blocks no other timer, is not lost, and comes again."""

from __future__ import annotations

import pytest

from tidings import Command, Event, Key, Later, Service, Topic, hours, minutes
from tidings import System as Whole
from tidings.engine.unit import Partition, Step, Timer, Unit
from tidings.testing import run


class Asked(Event, topic=Topic("asked", partitions=1)):
    name: Key[str]


class Reminded(Event, topic=Topic("reminded", partitions=1)):
    name: Key[str]


class Remind(Command[Reminded]):
    name: Key[str]


reminders = Service("reminders")


@reminders.on
def later(event: Asked) -> Later[Remind]:
    return Later(Remind(name=event.name), after=minutes(10))


@reminders.command
def remind(command: Remind) -> Reminded:
    return Reminded(name=command.name)


system = Whole("reminding", [reminders])


@pytest.mark.anyio
async def test_a_timer_that_cannot_be_read_stops_no_other_and_stays() -> None:
    async with run(system) as world:
        await world.publish(Asked(name="ada"))
        await world.wait_idle()
        store, part = world.engine.store, Partition("asked", 0)
        row = next(p for p in await store.progress("reminders") if p.partition == part)
        broken = Timer(part, "broken", await store.now() + 1, b"k", b"\xff not a head", b"")
        step = Step(part, row.epoch, row.held_gen, row.next, row.next)
        await store.commit([Unit(group="reminders", steps=[step], timers=[broken])])
        await world.restart()  # an owner who did not set it reads it at its claim
        await world.clock.advance(hours(1))
        assert [e.name for e in world.published(Reminded)] == ["ada"]
        claims = await store.claim("reminders", "somebody", {part: 0})
        left = await store.timers(claims, 10)
        assert [t.name for t in left] == ["broken"]
        assert left[0].attempt > 0
