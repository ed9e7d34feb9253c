"""Which keys of one partition are held, and when the head of each is due.

The truth is the store's held table; this is the owner's copy of it, read at the claim and whenever `held_gen` moved.
Order within a key is the order of offsets: only the head of a key runs, and a parked head holds all behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heapify, heappush

from tidings.engine.unit import Held


class HeldSet:
    def __init__(self, held: Iterable[Held] = ()) -> None:
        self.keys: dict[bytes | None, list[int]] = {}  # offsets in order; a record without a key is its own key
        self.due: dict[int, int | None] = {}
        self.size = 0
        self._names: dict[int, tuple[bytes, int]] = {}  # of each offset: its key's name, its bytes
        for each in sorted(held, key=lambda h: h.offset):
            self.put(each)

    def __len__(self) -> int:
        return len(self.due)

    def holds(self, key: bytes | None) -> bool:
        return key is not None and key in self.keys

    def leads(self, offset: int) -> bool:
        """Whether this event is held, and the first one of its key."""
        named = self._names.get(offset)
        return named is not None and self.keys[named[0]][0] == offset

    def put(self, held: Held) -> None:
        offset = held.offset
        if offset not in self.due:
            name, size = self._key(held), len(held.data or b"") + len(held.head)
            heappush(self.keys.setdefault(name, []), offset)
            self._names[offset] = name, size
            self.size += size
        self.due[offset] = held.due

    def drop(self, offset: int) -> None:
        if self.due.pop(offset, None) is None and offset not in self._names:
            return
        name, size = self._names.pop(offset)
        self.size -= size
        queue = self.keys[name]
        queue.remove(offset)
        heapify(queue)
        if not queue:
            del self.keys[name]

    def heads(self) -> Iterator[tuple[int, int | None]]:
        """(offset, due) of the first of each key."""
        for queue in self.keys.values():
            yield queue[0], self.due[queue[0]]

    def next_due(self, running: Iterable[int] = ()) -> int | None:
        """When the soonest head that is neither parked nor running is due."""
        busy = set(running)
        return min((due for offset, due in self.heads() if due is not None and offset not in busy), default=None)

    @staticmethod
    def _key(held: Held) -> bytes:
        return held.key if held.key is not None else _alone(held.offset)


def _alone(offset: int) -> bytes:
    """A name for a record without a key that no user's key can have by accident in the same partition's set."""
    return b"\x00tidings:alone:%d" % offset
