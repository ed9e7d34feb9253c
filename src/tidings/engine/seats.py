"""Who should have which partition: every member computes the same answer from the same list of members."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tidings.engine.unit import Partition


def spread(partitions: Iterable[Partition], members: Sequence[str]) -> dict[str, frozenset[Partition]]:
    """Rendezvous hashing with a cap: few partitions move when a member comes or goes.

    Partitions of one number go together, whatever their topic (co-partitioning): a key that lies in partition 7 of
    three topics is then handled by one member, so its state has one owner and decisions about it seldom conflict.
    Members beyond the highest number of partitions get nothing and are idle.
    """
    parts = sorted(partitions)
    numbers = sorted({part.number for part in parts})
    cap = -(-len(numbers) // len(members)) if members else 0
    mine: dict[str, set[int]] = {name: set() for name in members}
    for number in numbers if members else ():
        order = sorted(members, key=lambda name: _weight(f"{name}/{number}"), reverse=True)
        next(mine[name] for name in order if len(mine[name]) < cap).add(number)
    return {name: frozenset(p for p in parts if p.number in mine[name]) for name in members}


def _weight(text: str) -> int:
    """FNV-1a with a final mix (the plain form differs too little between names that differ in their last letter)."""
    value = 14695981039346656037
    for byte in text.encode():
        value = (value ^ byte) * 1099511628211 & (1 << 64) - 1
    value ^= value >> 33
    value = value * 0xFF51AFD7ED558CCD & (1 << 64) - 1
    return value ^ value >> 33
