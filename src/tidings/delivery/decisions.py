"""What a turn has decided so far: which decision stands for which arrival, and what must fall with it.

An event that is decided again takes back all it wrote, so every event that built on that is decided again too: a
closure. And an event that fails holds back the later events of its key, also those that were decided before it failed.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidings.delivery.decision import Decision
from tidings.delivery.intake import Work
from tidings.delivery.session import Session
from tidings.delivery.subscription import Arrival
from tidings.engine.unit import Address, Held, Partition, Timer


class Decisions:
    def __init__(self, work: Work) -> None:
        self.work = work
        self.session = Session()
        self.applied: dict[int, Decision] = {}  # in the order of application
        self.failed: dict[int, Held | Timer] = {}
        self._asked: dict[bytes, int] = {}  # id of a command whose caller waits -> the arrival that did it
        self._blocked: dict[tuple[Partition, bytes | None], int] = {}  # of a key: its first offset that is held
        for held in work.held:  # such as could not be read: the later ones of their keys go behind them
            self._block(held)

    def arrival(self, number: int) -> Arrival:
        return next(a for a in self.work.arrivals if a.number == number)

    def apply(self, arrival: Arrival, decision: Decision) -> None:
        if decision.writes or decision.appends:
            self.session.apply(decision)
        self.applied[arrival.number] = decision
        if arrival.head.reply and decision.outcome != "duplicate":
            self._asked[arrival.head.id] = arrival.number

    def repeats(self, arrival: Arrival) -> bool:
        """Whether this very command, asked again under its id, is done in this turn already: then it is passed over."""
        first = self._asked.get(arrival.head.id) if arrival.head.reply else None
        if first is None or first == arrival.number or first not in self.applied:
            return False
        self.apply(arrival, Decision(outcome="duplicate"))
        return True

    # ---- held ----

    def hold(self, arrival: Arrival, held: Held) -> None:
        self.failed[arrival.number] = held
        self._block(held)

    def _block(self, held: Held) -> None:
        place = held.partition, held.key
        self._blocked[place] = min(held.offset, self._blocked.get(place, held.offset))

    def behind(self, arrival: Arrival) -> bool:
        """Whether an earlier event of its key is held in this turn; then it is held behind it."""
        if not self._blocked or arrival.held or arrival.timer is not None or arrival.key is None:
            return False
        first = self._blocked.get((arrival.partition, arrival.key))
        if first is None or first > arrival.offset:
            return False
        self.hold(arrival, held_of(arrival, 0, arrival.attempt - 1))
        return True

    def overtaken(self) -> set[Address]:
        """Events that were decided before an earlier one of their key failed go behind it: the states they had
        written."""
        late = {a.number for a in self.work.arrivals if a.number in self.applied and self.behind(a)}
        held = {n: self.failed[n] for n in late}
        moved = self.remove(late)
        self.failed.update(held)
        return moved

    # ---- taking back ----

    def remove(self, numbers: Iterable[int]) -> set[Address]:
        """Forget decisions; gives the states that they had written."""
        moved: set[Address] = set()
        for number in numbers:
            decision = self.applied.pop(number, None)
            self.failed.pop(number, None)
            if decision is not None:
                moved |= decision.written()
        return moved

    def drop(self, partitions: set[Partition]) -> set[Address]:
        """These partitions are not ours to finish: everything of theirs goes."""
        moved = self.remove({a.number for a in self.work.arrivals if a.partition in partitions})
        self.work.drop(partitions)
        return moved

    def take_back(self, moved: set[Address]) -> list[Arrival]:
        """Forget these states and every decision that touched them or built on one that did: who decides again."""
        states, numbers = set(moved), set[int]()
        while more := {n for n, d in self.applied.items() if n not in numbers and not states.isdisjoint(d.touched())}:
            numbers |= more
            for number in more:
                states |= self.applied[number].written()
        self.remove(numbers)
        self.session.forget(states)
        return [a for a in self.work.arrivals if a.number in numbers]


def held_of(arrival: Arrival, due: int | None, attempt: int, error: str = "") -> Held:
    """The arrival as it goes to the held table: its original bytes."""
    a = arrival
    return Held(a.partition, a.offset, a.time, a.key, a.packed, a.data, due, attempt, error)
