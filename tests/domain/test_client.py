"""What a client refuses at once, where waiting or reading on would only lead astray."""

from __future__ import annotations

from typing import Any

import pytest

from tests.delivery.trade import Account, Bill, Billed, Ordered, system
from tidings import DefinitionError, Service
from tidings.engine.unit import Partition
from tidings.event.envelope import unpack

pytestmark = pytest.mark.anyio
billing = Service("billing")


@billing.command
def bill(command: Bill) -> Billed:
    return Billed(order=command.order, number=command.number)


async def test_an_event_is_told_and_a_command_is_asked() -> None:
    event: Any = Ordered(order="o-1")
    command: Any = Bill(order="o-1", number=1)
    async with system(billing).connect(store="memory:") as client:
        with pytest.raises(DefinitionError, match=r"Ordered is an event, which is told\n.*client\.publish"):
            await client.call(event)
        with pytest.raises(DefinitionError, match="Ordered is an event, which is told"):
            await client.send(event)
        with pytest.raises(DefinitionError, match=r"Bill is a command, which is asked\n.*client\.call"):
            await client.publish(command)


async def test_what_no_service_keeps_cannot_be_read() -> None:
    event: Any = Ordered
    async with system(billing).connect(store="memory:") as client:
        with pytest.raises(DefinitionError, match="no service of this system keeps Account as a row"):
            await client.get(Account, "o-1")
        with pytest.raises(DefinitionError, match="no service of this system keeps Ordered as an aggregate"):
            await client.load(event, "o-1")
        with pytest.raises(DefinitionError, match="no service of this system keeps Ordered as an aggregate"):
            await client.history(event, "o-1")


async def test_only_names_services_themselves() -> None:
    named: Any = ["billing"]
    with pytest.raises(DefinitionError, match=r"'billing' is no service of .*\n.*the service itself"):
        async with system(billing).running(only=named, store="memory:"):
            pass


async def test_a_number_is_no_duration_and_no_id() -> None:
    number: Any = 5
    async with system(billing).connect(store="memory:") as client:
        with pytest.raises(DefinitionError, match=r"within=5 is no duration\n.*within=seconds\(5\)"):
            await client.call(Bill(order="o-1", number=1), within=number)
        with pytest.raises(DefinitionError, match="within=5 is no duration"):
            await client.wait_idle(number)
        with pytest.raises(DefinitionError, match="id=5 is no text"):
            await client.send(Bill(order="o-1", number=1), id=number)


async def test_a_trace_that_is_none_begins_a_new_one() -> None:
    async with system(billing).connect(store="memory:") as client:
        await client.publish(Ordered(order="o-1"), traceparent="garbage")
        topic = next(t for t in await client.engine.log.topics() if t.name == "orders")
        batches = await client.engine.log.read({Partition(topic.name, n): 0 for n in range(topic.partitions)}, 10)
        heads = [unpack(r.head) for b in batches for r in b.records]
        assert [h.trace for h in heads] == [""]
