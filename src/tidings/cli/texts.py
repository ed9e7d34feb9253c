"""Text from outside, made harmless for a terminal; times, sizes and counts as people read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import msgspec

from tidings.clock import SystemClock, from_micro

# Control characters (a terminal obeys them), and what turns the direction of a line around: shown, never sent.
_DANGEROUS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]|[\U000e0000-\U000e007f]"
)


def safe(text: object) -> str:
    """On one line, with escapes shown as text: they colour nothing and move nothing."""
    return _DANGEROUS.sub(_escape, str(text))


def safe_lines(text: str) -> str:
    """The same for text of several lines, whose line breaks stay."""
    return "\n".join(safe(line) for line in text.split("\n"))


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def now() -> datetime:
    return from_micro(SystemClock().now())


def moment(at: datetime | None) -> str:
    """`2026-03-01 12:00:00.123Z`, always UTC; empty for None."""
    if at is None:
        return ""
    utc = at.astimezone(UTC)
    return f"{utc:%Y-%m-%d %H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def ago(at: datetime | None, now: datetime) -> str:
    """`3 m 12 s`; empty for None."""
    return "" if at is None else span(max(0.0, (now - at).total_seconds()))


def span(seconds: float) -> str:
    """`12 ms`, `3.4 s`, `2 m 5 s`, `3 h 20 m`, `5 d 2 h`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {rest} s" if rest else f"{minutes} m"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} m" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def count(number: int) -> str:
    return f"{number:,}"


def plural(number: int, word: str) -> str:
    """`1 event`, `2 events`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def body(data: msgspec.Raw) -> str:
    """JSON on one line."""
    return safe(bytes(data).decode("utf-8", "backslashreplace"))
