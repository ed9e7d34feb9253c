"""The identity map of a turn: every state once, and event 9 sees what event 7 changed.

Awaited handlers run at the same time, so a decision says which stamp of each state it rests on. A stamp that moved
since means that another handler of this turn came between: the decision is thrown away and made again. Between turns
and members, the store compares versions in the same way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from tidings.delivery.decision import Decision, Kind
from tidings.engine.unit import Address, Write

UNREAD = -1  # written without having been read: no version to expect


class Cell(Struct, eq=False):
    kind: Kind
    version: int  # as the store has it
    value: Any
    stamp: int
    dirty: bool = False
    appended: int = 0


class Session:
    """States as they will be if the turn commits."""

    def __init__(self) -> None:
        self.cells: dict[Address, Cell] = {}
        self._stamps = 0  # of the whole session: a state that is loaded anew never has a stamp that it had before

    def _stamp(self) -> int:
        self._stamps += 1
        return self._stamps

    async def load(self, wanted: Mapping[Address, Kind]) -> None:
        """Load what is not here yet: one call a kind, whatever the number of states."""
        lacking: defaultdict[Kind, list[Address]] = defaultdict(list)
        for address, kind in wanted.items():
            cell = self.cells.get(address)
            if cell is None:
                lacking[kind].append(address)
        for kind, addresses in lacking.items():
            for address, (version, value) in zip(addresses, await kind.load(addresses), strict=True):
                if address not in self.cells:  # another lane may have been faster
                    self.cells[address] = Cell(kind, version, value, self._stamp())

    def fits(self, decision: Decision) -> bool:
        """Whether nothing that the decision rests on has changed since it looked."""
        cells = self.cells
        return all((cell := cells.get(a)) is not None and cell.stamp == stamp for a, stamp in decision.reads.items())

    def apply(self, decision: Decision) -> None:
        for address, (kind, value) in decision.writes.items():
            cell = self.cells.get(address)
            if cell is None:
                cell = self.cells[address] = Cell(kind, UNREAD, None, 0)
            cell.value = value
            cell.stamp = self._stamp()
            cell.dirty = True
        for address, append in decision.appends.items():
            cell = self.cells[address]
            cell.value = append.kind.fold(cell.value, append.messages)
            cell.stamp = self._stamp()
            cell.appended += len(append.messages)

    def forget(self, addresses: Iterable[Address]) -> None:
        """Drop states, so that the next load reads the store again."""
        for address in addresses:
            self.cells.pop(address, None)

    def expect(self, decisions: Iterable[Decision]) -> dict[Address, int]:
        cells = self.cells
        return {a: v for d in decisions for a in d.reads if (v := cells[a].version) != UNREAD}

    def writes(self) -> list[Write]:
        return [cell.kind.write(a, cell.value) for a, cell in sorted(self.cells.items()) if cell.dirty]

    async def settle(self) -> None:
        """The turn is durable: let each kind see what now stands of its streams."""
        grown: defaultdict[Kind, list[tuple[Address, int, Any]]] = defaultdict(list)
        for address, cell in self.cells.items():
            if cell.appended and cell.version != UNREAD:
                grown[cell.kind].append((address, cell.version + cell.appended, cell.value))
        for kind, stands in grown.items():
            await kind.settled(stands)


class Look(Struct, eq=False):
    """One handler run's view of the session. Whatever it reads is written down as a condition of its decision."""

    session: Session
    reads: dict[Address, int] = {}
    _given: dict[Address, Any] = {}

    def see(self, address: Address) -> Any:
        """A state that is loaded; the same object again within one run."""
        if address in self._given:
            return self._given[address]
        cell = self.session.cells[address]
        self.reads[address] = cell.stamp
        given = self._given[address] = cell.kind.copy(cell.value)
        return given

    async def load(self, address: Address, kind: Kind) -> Any:
        """A state that may have to be loaded first."""
        if address not in self._given:
            await self.session.load({address: kind})
        return self.see(address)

    def put(self, address: Address, value: Any) -> None:
        """What later readers of this run shall be handed: a row made from defaults, or an earlier handler's result."""
        self._given[address] = value

    def given(self) -> Mapping[Address, Any]:
        """Everything that was handed out, for checks of changed but not returned rows."""
        return self._given
