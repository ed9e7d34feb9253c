"""What a client refuses at once, where waiting or reading on would only lead astray."""

from __future__ import annotations

from typing import Any

import pytest

from tests.delivery.trade import Account, Bill, Billed, Ordered, system
from tidings import DefinitionError, Service

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
