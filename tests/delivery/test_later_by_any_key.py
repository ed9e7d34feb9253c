"""A message that waits is found again by its key, of whatever type that is."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import pytest

from tidings import Cancel, Command, Event, Key, Later, Service, System, Topic, hours
from tidings.testing import run

KEYS = [b"\xff\x00", 7, date(2026, 1, 2), UUID(int=5), "a/b|c"]


@pytest.mark.anyio
@pytest.mark.parametrize("key", KEYS, ids=repr)
async def test_a_message_that_waits_is_cancelled_by_a_key_of_any_type(key: object) -> None:
    kind = type(key)
    topic = Topic("waiting")

    class Begun(Event, topic=topic):
        key: Key[kind]  # type: ignore[valid-type]

    class Ended(Event, topic=topic):
        key: Key[kind]  # type: ignore[valid-type]

    class Reminded(Event, topic=topic):
        key: Key[kind]  # type: ignore[valid-type]

    class Remind(Command[Reminded]):
        key: Key[kind]  # type: ignore[valid-type]

    service = Service("reminders")

    def begin(event: Begun) -> Later[Remind]:
        return Later(Remind(key=event.key), after=hours(1))

    def end(event: Ended) -> Cancel[Remind]:
        return Cancel(Remind, key=event.key)

    def remind(command: Remind) -> Reminded:
        return Reminded(key=command.key)

    service.on(begin)
    service.on(end)
    service.command(remind)
    async with run(System("waiting", [service])) as world:
        await world.publish(Begun(key=key))
        await world.publish(Ended(key=key))
        await world.clock.advance(hours(2))
        assert not world.published(Reminded)
        await world.publish(Begun(key=key))
        await world.clock.advance(hours(2))
        assert [e.key for e in world.published(Reminded)] == [key]
