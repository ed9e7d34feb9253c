"""Transfers between accounts, told in order per account, with some that fail for a while and some that never
succeed."""

from __future__ import annotations

from typing import Annotated

from tidings import (
    Aggregate,
    By,
    Command,
    Delivery,
    Event,
    Key,
    Poison,
    Retry,
    Row,
    Service,
    System,
    Temporary,
    Topic,
    seconds,
)

transfers = Topic("transfers", partitions=6, retention=None)
moves = Topic("moves", partitions=4, retention=None)
noise = Topic("noise", partitions=1, retention=seconds(0.001))
counters = Topic("counters", partitions=3, retention=None)

POISON = 13  # an amount that no account takes


class Transfer(Event, topic=transfers):
    """`lane` and `sequence`: the producer's own count for this account, by which order is checked."""

    source: Key[str]
    target: str
    amount: int
    transfer_id: str
    lane: str
    sequence: int


class Moved(Event, topic=moves):
    target: Key[str]
    transfer_id: str


class Noise(Event, topic=noise):
    """Goes by retention at once, so that the sweep has something to do."""

    word: Key[str]


class Account(Row, table="accounts"):
    name: Key[str]
    balance: int = 0


class Effect(Row, table="effects"):
    """How often a transfer took effect: once, or there is a violation."""

    transfer_id: Key[str]
    times: int = 0
    attempt: int = 0


class Last(Row, table="lanes"):
    """The last sequence of a lane that took effect, and how often one came out of order."""

    lane: Key[str]
    sequence: int = 0
    broken: int = 0


class Heard(Row, table="heard"):
    transfer_id: Key[str]
    times: int = 0


ledger = Service("ledger", retry=Retry(attempts=50, first=seconds(0.01), longest=seconds(0.05)))


@ledger.on
def move(
    event: Transfer,
    source: Account,
    target: Annotated[Account, By("target")],
    effect: Annotated[Effect, By("transfer_id")],
    last: Annotated[Last, By("lane")],
    delivery: Delivery,
) -> tuple[Account | Effect | Last | Moved, ...]:
    if event.amount == POISON:
        raise Poison("no account takes this amount")
    if delivery.attempt == 1 and event.sequence % 40 == 7:
        raise Temporary("not now", after=seconds(0.01))
    source.balance -= event.amount
    target.balance += event.amount
    effect.times += 1
    effect.attempt = delivery.attempt
    last.broken += event.sequence <= last.sequence
    last.sequence = event.sequence
    return source, target, effect, last, Moved(target=event.target, transfer_id=event.transfer_id)


audit = Service("audit")
heard = audit.projection(Heard)


@heard.on
def hear(event: Moved, row: Annotated[Heard, By("transfer_id")]) -> Heard:
    row.times += 1
    return row


class Added(Event, topic=counters):
    counter: Key[str]
    call: str


class Add(Command[Added]):
    counter: Key[str]
    call: str


class Counter(Aggregate):
    total: int = 0

    def apply(self, event: Added) -> None:
        self.total += 1


counting = Service("counting")


@counting.command
def add(command: Add, counter: Counter) -> Added:
    return Added(counter=command.counter, call=command.call)


listener = Service("listener")


@listener.on
def count(event: Added) -> None:
    """A plain listener: one more group that must see everything."""


system = System("proof", [ledger, audit, counting, listener])
