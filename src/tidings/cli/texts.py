"""Text from outside, made harmless for a terminal; times, sizes and counts as people read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import msgspec

from tidings.clock import SystemClock, from_micro
from tidings.ops import plural, span

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


def count(number: int) -> str:
    return f"{number:,}"


def body(data: msgspec.Raw) -> str:
    """JSON on one line."""
    return safe(bytes(data).decode("utf-8", "backslashreplace"))


__all__ = ["ago", "body", "count", "moment", "now", "plural", "safe", "safe_lines", "span"]
