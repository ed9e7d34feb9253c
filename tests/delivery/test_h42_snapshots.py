"""H42: a snapshot is of one shape and one fold; another shape or fold folds all events again. And what a handler is
handed is its own: nothing it does to it is seen by another, before what it returned is folded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from tidings import Aggregate, Command, Event, Key, Rejected, Service, System, Topic
from tidings.testing import World, run

pytestmark = pytest.mark.anyio
entries = Topic("entries", partitions=2)


class Entered(Event, topic=entries):
    book: Key[str]
    amount: int


class Enter(Command[Entered]):
    book: Key[str]
    amount: int


class Read(Command):
    book: Key[str]


class Sum(Aggregate, name="Book"):
    total: int = 0

    def apply(self, event: Entered) -> None:
        self.total += event.amount


class SumAndCount(Aggregate, name="Book"):
    """The next release keeps one more thing."""

    total: int = 0
    count: int = 0

    def apply(self, event: Entered) -> None:
        self.total += event.amount
        self.count += 1


class Doubled(Aggregate, name="Book"):
    """The same fields under another fold."""

    total: int = 0

    def apply(self, event: Entered) -> None:
        self.total += 2 * event.amount


def books(aggregate: type[Aggregate]) -> System:
    service = Service("books")

    def enter(command: Enter, book: Aggregate) -> Entered:
        return Entered(book=command.book, amount=command.amount)

    enter.__annotations__["book"] = aggregate
    service.command(enter)
    return System("books", [service])


async def enter_all(world: World, amounts: range) -> None:
    for amount in amounts:
        await world.send(Enter(book="b-1", amount=amount))
    await world.settle()


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot after every few events."""
    monkeypatch.setattr("tidings.domain.kinds.SNAPSHOT_EVERY", 5)


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("changed", [SumAndCount, Doubled])
async def test_h42_a_changed_aggregate_is_folded_from_all_its_events(changed: type[Aggregate]) -> None:
    async with run(books(Sum)) as world:
        await enter_all(world, range(23))
        assert (await world.load(Sum, "b-1")).total == sum(range(23))
        await world.restart(books(changed))
        loaded = await world.load(changed, "b-1")
        replayed = changed()
        for recorded in await world.history(changed, "b-1"):
            replayed.apply(recorded.event)  # type: ignore[attr-defined]
        assert loaded == replayed
        await enter_all(world, range(23, 31))
        await world.restart(books(Sum))
        assert (await world.load(Sum, "b-1")).total == sum(range(31)), "and the old one still knows its own"


@pytest.mark.usefixtures("often")
async def test_h42_a_snapshot_saves_the_events_before_it() -> None:
    async with run(books(Sum)) as world:
        await enter_all(world, range(12))
        kind = world._runtime.streams[Sum]
        (history,) = await world._store.load([world._runtime.addresses.of(Sum, "b-1")], kind.fingerprint)
        assert history.snapshot is not None
        assert history.snapshot[0] + len(history.events) == history.version == 12
        assert len(history.events) < 12
        assert (await world.load(Sum, "b-1", version=3)).total == 3


# ---- one taker -----------------------------------------------------------------------------------------------------


class Shelf(Aggregate):
    items: list[str] = msgspec.field(default_factory=list)
    places: dict[str, list[int]] = msgspec.field(default_factory=dict)

    def apply(self, event: Entered) -> None:
        self.items.append(event.book)
        self.places.setdefault("all", []).append(event.amount)


def careless(wait: Callable[[], object]) -> System:
    service = Service("shelves")

    @service.command
    async def enter(command: Enter, shelf: Shelf) -> Entered:
        shelf.items.append("scribbled")
        shelf.places.setdefault("all", []).append(-1)
        await asyncio.sleep(0)
        wait()
        if command.amount % 2:
            raise Rejected("odd")
        if shelf.items.count("scribbled") > 1 or shelf.places["all"].count(-1) > 1:
            raise ValueError("somebody else wrote on what I was handed")
        return Entered(book=command.book, amount=command.amount)

    return System("shelves", [service])


async def test_h42_two_commands_never_share_what_they_are_handed() -> None:
    async with run(careless(lambda: None)) as world:
        await world.pause(world._runtime.program.services[0])
        for amount in range(40):  # all in one batch: one after another on one state
            await world.send(Enter(book="b-1", amount=amount))
        await world.resume(world._runtime.program.services[0])
        await world.settle()
        assert await world.parked() == []
        shelf = await world.load(Shelf, "b-1")
        assert shelf.items == ["b-1"] * 20
        assert shelf.places == {"all": list(range(0, 40, 2))}


async def test_h42_two_commands_of_two_keys_on_one_state_do_not_either() -> None:
    service, seen = Service("shelves"), list[list[int]]()

    @service.command
    async def enter(command: Enter, shelf: Shelf) -> Entered:
        await asyncio.sleep(0)
        seen.append(shelf.places.get("all", []))
        return Entered(book=command.book, amount=command.amount)

    async with run(System("shelves", [service])) as world:
        await asyncio.gather(*[world.send(Enter(book=f"b-{n % 2}", amount=n)) for n in range(20)])
        await world.settle()
        assert len({id(one) for one in seen}) == len(seen)
