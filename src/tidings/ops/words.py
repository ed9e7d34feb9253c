"""Counts, sizes and spans of time as people read them."""

from __future__ import annotations


def plural(number: int, word: str) -> str:
    """`1 event`, `2,000 events`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def size(count: float) -> str:
    """`512 bytes`, `3.4 MB`; powers of 1024."""
    if count < 1024:
        return f"{count:.0f} bytes"
    for unit in ("KB", "MB", "GB"):
        count /= 1024
        if count < 1024:
            return f"{count:.0f} {unit}" if count >= 100 else f"{count:.1f} {unit}"
    return f"{count / 1024:.1f} TB"


def span(seconds: float) -> str:
    """`12 ms`, `3.4 s`, `2 m 5 s`, `3 h 20 m`, `5 d 2 h`: two units at most."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    for large, small, name, rest in ((3600, 60, "m", "s"), (86400, 3600, "h", "m"), (1 << 62, 86400, "d", "h")):
        if seconds < large:
            whole, left = divmod(int(seconds), small)
            part = left // {"s": 1, "m": 60, "h": 3600}[rest]
            return f"{whole} {name} {part} {rest}" if part else f"{whole} {name}"
    raise AssertionError(seconds)
