"""H25: many answers arrive at once for one piece of state; each is counted, whoever came first."""

from __future__ import annotations

import asyncio
from types import new_class
from typing import Annotated, Any

import pytest

from tests.delivery.trade import Account, Bill, Billed, Ordered, system
from tidings import By, Command, Event, Key, Row, Rows, Saga, Service, System, Topic, step
from tidings.testing import run

pytestmark = pytest.mark.anyio
PARALLEL = 50
answers = Topic("answers", partitions=8)


class Tally(Row, table="tally"):
    name: Key[str]
    count: int = 0


def one(event: Event) -> str:
    return "all"


@pytest.mark.parametrize("log_apart", [False, True], ids=["one", "apart"])
async def test_h25_fifty_events_of_fifty_keys_count_to_fifty(log_apart: bool) -> None:
    service = Service("counter")

    @service.on
    async def count(event: Ordered, tally: Annotated[Tally, By(one)]) -> Tally:
        await asyncio.sleep(0)  # all of them have read the row before the first one writes it
        tally.count += 1
        return tally

    async with run(system(service), log_apart=log_apart) as world:
        events = [Ordered(order=f"o-{n}", number=n) for n in range(PARALLEL)]
        await asyncio.gather(*[world.publish(event) for event in events])
        assert await world.get(Tally, "all") == Tally(name="all", count=PARALLEL)


async def test_h25_two_groups_that_write_one_row_both_count() -> None:
    """Rows of a service and commands to it: the same table, moved by hands from outside the turn as well."""
    service = Service("counter")

    @service.on
    async def count(event: Ordered, rows: Rows[Account]) -> Account:
        await asyncio.sleep(0)
        account = await rows.get("all") or Account(order="all")
        account.total += 1
        return account

    @service.command
    async def bill(command: Bill, rows: Rows[Account]) -> tuple[Billed, Account]:
        account = await rows.get("all") or Account(order="all")
        await asyncio.sleep(0)
        account.total += 1
        return Billed(order=command.order, number=account.total), account

    async with run(system(service)) as world:
        tells = [world.publish(Ordered(order=f"o-{n}")) for n in range(PARALLEL)]
        asks = [world.send(Bill(order=f"o-{n}")) for n in range(PARALLEL)]
        await asyncio.gather(*tells, *asks)
        assert await world.get(Account, "all") == Account(order="all", total=2 * PARALLEL)
        assert len({bill.number for bill in world.published(Billed)}) == PARALLEL


# ---- a saga with fifty steps beside each other ---------------------------------------------------------------------


class Asked(Event, topic=answers):
    round: Key[str]


class Answered(Event, topic=answers):
    who: Key[str]


class Answer(Command[Answered]):
    who: Key[str]
    round: str


class Closed(Event, topic=answers):
    round: Key[str]
    count: int


def poll() -> type[Saga[Asked]]:
    def fill(space: dict[str, Any]) -> None:
        first = None
        for number in range(PARALLEL):

            def ask(self: Saga[Asked], number: int = number) -> Answer:
                return Answer(who=f"w-{number}", round=self.start.round)

            ask.__name__ = f"ask_{number}"
            space[ask.__name__] = made = step(beside=first, undoable=False)(ask)
            first = first or made

        def completed(self: Any) -> Closed:
            done = [getattr(self, f"ask_{n}").is_done for n in range(PARALLEL)]
            return Closed(round=self.start.round, count=sum(done))

        space["completed"] = completed

    made: type[Saga[Asked]] = new_class("Poll", (Saga[Asked],), {}, fill)
    return made


async def test_h25_fifty_answers_to_one_saga_complete_it_once() -> None:
    rounds, people = Service("rounds"), Service("people")
    rounds.saga(poll())

    @people.command
    async def answer(command: Answer) -> Answered:
        await asyncio.sleep(0)
        return Answered(who=command.who)

    async with run(System("poll", [rounds, people])) as world:
        await world.publish(Asked(round="r-1"))
        assert (await world.wait_for(Closed, key="r-1")).count == PARALLEL
        await world.settle()
        assert len(world.published(Closed)) == 1
        assert len(world.published(Answered)) == PARALLEL
