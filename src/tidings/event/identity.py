"""Ids: 16 bytes. Most are UUIDv7, whose first bits are the time; derived ones are made from what they stand for.

    new_id      48 bits of milliseconds · 4 version · 12 bits of sub-millisecond · 2 variant · 62 random bits
    derived_id  a hash of its parts in the shape of a UUIDv8: the same parts give the same id, on every machine

Within a process new ids rise strictly: two in the same 244 ns get the next free instants, and a clock that steps back
is waited out by counting on. Order in a log never comes from ids; rising ones only keep indexes compact. The random
bits are drawn for many ids at once (a system call for each would cost more than all the rest), and a forked process
draws its own.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from hashlib import blake2b
from struct import Struct

from tidings.errors import TidingsError

MILLI = 1_000_000  # nanoseconds
_halves = Struct(">QQ").pack
_draw = Struct(">256Q")


class IdMaker:
    """Makes ids. `now` (nanoseconds since 1970) and `random` (so many bytes) may be given, for a test to know them.

    Numbers are kept small (the time within the millisecond at hand), because small ones are quick.
    """

    def __init__(self, now: Callable[[], int] = time.time_ns, random: Callable[[int], bytes] = os.urandom) -> None:
        self._now = now
        self._random = random
        self._last = 0  # the first half of the last id
        self._since, self._begun = 0, 0x7000  # when the millisecond at hand began, and a first half that says so
        self._tails: list[int] = []  # second halves, drawn ahead
        self.forked()

    def forked(self) -> None:
        """In the child of a fork: what its parent drew is its parent's."""
        lock = threading.Lock()
        self._acquire, self._release = lock.acquire, lock.release
        self._tails.clear()

    def __call__(self) -> bytes:
        self._acquire()
        try:
            past = self._now() - self._since
            if not 0 <= past < MILLI:
                past = self._turn(past)
            head = self._begun | (past << 12) // MILLI
            if head <= self._last:
                head = _after(self._last)
            self._last = head
            if not self._tails:
                self._draw()
            return _halves(head, self._tails.pop())
        finally:
            self._release()

    def many(self, count: int) -> list[bytes]:
        """So many, one right after another, for half the price."""
        made = [self()] if count else []
        self._acquire()
        try:
            for _ in range(count - 1):
                self._last = head = _after(self._last)
                if not self._tails:
                    self._draw()
                made.append(_halves(head, self._tails.pop()))
        finally:
            self._release()
        return made

    def _turn(self, past: int) -> int:
        """Another millisecond has begun: how far it is past."""
        self._since += past // MILLI * MILLI
        self._begun = self._since // MILLI << 16 | 0x7000
        return past % MILLI

    def _draw(self) -> None:
        self._tails += [tail >> 2 | 1 << 63 for tail in _draw.unpack(self._random(_draw.size))]


def _after(head: int) -> int:
    """The next first half: over the edge of a millisecond, past the four bits of the version."""
    head += 1
    return head if head & 0xF000 == 0x7000 else (head >> 16) + 1 << 16 | 0x7000


_maker = IdMaker()
new_id = _maker.__call__  # bound: calling the object itself takes longer
new_ids = _maker.many
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_maker.forked)


def id_time(id: bytes) -> int:
    """When a new id was made, in microseconds since 1970. Raises TidingsError for an id that carries no time."""
    if id[6] >> 4 != 7:
        raise TidingsError(f"{show(id)} carries no time", hint="it was derived, not made at a moment")
    milli = int.from_bytes(id[:6], "big")
    part = int.from_bytes(id[6:8], "big") & 0xFFF
    return milli * 1000 + (part * 1000 >> 12)


def derived_id(*parts: bytes | str) -> bytes:
    """The id of whatever these parts name, in this order; ("a", "bc") is not ("ab", "c")."""
    hashed = blake2b(digest_size=16)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        hashed.update(len(data).to_bytes(4, "big"))
        hashed.update(data)
    made = bytearray(hashed.digest())
    made[6] = made[6] & 0x0F | 0x80
    made[8] = made[8] & 0x3F | 0x80
    return bytes(made)


def show(id: bytes) -> str:
    """As people and other systems write it: 8-4-4-4-12 hexadecimal digits."""
    text = id.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def parse(text: str) -> bytes:
    """The other way, hyphens or not. Raises TidingsError where the text is no id."""
    digits = text.strip().replace("-", "")
    try:
        if len(digits) == 32:
            return bytes.fromhex(digits)
    except ValueError:
        pass
    raise TidingsError(f"{text!r} is no id", hint="the id of a message; `tidings tail --key o-17` shows them")
