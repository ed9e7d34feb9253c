from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.cli import logs, texts
from tidings.ops import plural, size, span

OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f\ud800-\udfff]")


@given(st.text(st.characters()))
def test_no_text_makes_a_terminal_do_anything(text: str) -> None:
    assert not OBEYED.search(texts.safe(text))
    assert not OBEYED.search(texts.safe_lines(text).replace("\n", ""))


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert texts.safe(text) == text


@pytest.mark.parametrize("text", ["grün", "注文", "🚚", "naïve café", "[bold]not markup[/bold]", ":warning:"])
def test_words_of_people_stay_as_they_are(text: str) -> None:
    assert texts.safe(text) == text


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 ms"), (0.0123, "12 ms"), (1, "1.0 s"), (59.94, "59.9 s"), (60, "1 m"), (125, "2 m 5 s"), (3600, "1 h"),
        (12000, "3 h 20 m"), (86400, "1 d"), (7 * 86400, "7 d"), (93600, "1 d 2 h"), (1e9, "11574 d 1 h"),
    ],
)  # fmt: skip
def test_spans_of_time_have_two_units_at_most(seconds: float, shown: str) -> None:
    assert span(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KB"),
        (160_000, "156 KB"),
        (5 << 20, "5.0 MB"),
        (3 << 40, "3.0 TB"),
    ],
)
def test_sizes_are_read_at_a_glance(count: int, shown: str) -> None:
    assert size(count) == shown


def test_one_is_no_plural() -> None:
    assert [plural(n, "event") for n in (0, 1, 2000)] == ["0 events", "1 event", "2,000 events"]


def test_moments_are_shown_in_utc() -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    assert texts.moment(at) == "2026-03-01 10:00:00.123Z"
    assert (texts.moment(None), texts.ago(None, at)) == ("", "")
    assert texts.ago(at, datetime(2026, 3, 1, 9, tzinfo=UTC)) == "0 ms", "a clock that is behind shows no negative time"


# ---- logs ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def kept_logging() -> Iterator[None]:
    """Logging as it was, afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("tidings")
    before = root.handlers[:], root.level, ours.level, logging.raiseExceptions
    yield
    root.handlers[:], logging.raiseExceptions = before[0], before[3]
    root.setLevel(before[1])
    ours.setLevel(before[2])
    logging.captureWarnings(capture=False)


def record(message: str, *arguments: object, error: bool = False, **extra: object) -> logging.LogRecord:
    caught = None
    if error:
        try:
            int("two\nlines \x1b[31m")
        except ValueError:
            caught = sys.exc_info()
    made = logging.LogRecord("tidings.delivery", logging.ERROR, __file__, 1, message, arguments, caught)
    vars(made).update(extra)
    return made


def test_a_line_of_text_is_one_line_and_harmless() -> None:
    shown = logs.Text(pid=False).format(record("key %s", "a\nb\x1b[2J", group="g\r"))
    assert shown.endswith("ERROR   tidings.delivery  key a\\x0ab\\x1b[2J group=g\\x0d") and "\n" not in shown
    failed = logs.Text(pid=True).format(record("it failed", error=True))
    assert "\x1b" not in failed and "Traceback" in failed and f"[{record('').process}]" in failed


def test_a_json_line_has_what_it_was_given() -> None:
    shown = logs.Json().format(record("key %s", "a\nb", group="g", error=True))
    assert "\n" not in shown
    found = json.loads(shown)
    assert (found["level"], found["logger"], found["message"], found["group"]) == (
        "error",
        "tidings.delivery",
        "key a\nb",
        "g",
    )
    assert "ValueError: invalid literal" in found["error"] and found["time"].endswith("Z")
    assert json.loads(logs.Json().format(record("%d of them", "no number")))["message"] == "%d of them"


@pytest.mark.usefixtures("kept_logging")
def test_levels_are_ours_and_foreign_ones_are_told_from_warnings_on(capsys: pytest.CaptureFixture[str]) -> None:
    logs.begin("info", "text")
    logging.getLogger("tidings.cli").info("ours")
    logging.getLogger("tidings.cli").debug("too much")
    logging.getLogger("somebody").info("chatter")
    logging.getLogger("somebody").warning("their trouble")
    said = capsys.readouterr().err
    assert "ours" in said and "their trouble" in said and "too much" not in said and "chatter" not in said
