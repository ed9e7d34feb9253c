"""The demo tells the truth: a small one is run whole, its sums are looked at, and its advice is followed."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from os.path import relpath
from pathlib import Path

import anyio
import pytest
from rich.console import Console

from shop.demo.__main__ import empty, main
from shop.demo.report import Report
from shop.demo.show import commands, show
from shop.entry import read_lines
from tests.architecture.sources import ROOT

LINES = 150
pytestmark = [pytest.mark.slow, pytest.mark.anyio]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def told() -> Iterator[io.StringIO]:
    """What the demo prints, at eighty columns."""
    with io.StringIO() as text:
        yield text


@pytest.fixture(scope="module")
async def report(tmp_path_factory: pytest.TempPathFactory, told: io.StringIO) -> Report:
    console = Console(file=told, width=80)
    found = await main(tmp_path_factory.mktemp("demo"), read_lines()[:LINES], console)
    show(found, console)
    return found


async def test_every_line_is_answered(report: Report) -> None:
    counts = report.diary.counts()
    assert counts.total() == LINES
    assert (counts["placed"], counts["recognised"], counts["refused"]) == (146, 1, 3)


async def test_every_order_comes_to_an_end(report: Report) -> None:
    assert len(report.told.orders) == len(report.told.ended) == 146
    assert {*report.told.cancelled.values()} >= {"card declined", "no carrier"}


async def test_money_stock_and_mails_add_up(report: Report) -> None:
    assert report.money.conserved
    assert report.stock.conserved
    assert report.mails.sent == report.mails.due == 2 * 146


async def test_a_killed_worker_doubles_no_effect(report: Report) -> None:
    assert report.diary.victim is not None
    assert report.diary.victim.process.returncode == -9
    assert not any(report.doubled().values())


async def test_notifications_catch_up_after_their_stop(report: Report) -> None:
    assert report.diary.behind > 0
    assert not any(group.lag or group.held for group in report.groups)


async def test_what_was_parked_ran_again(report: Report) -> None:
    assert [key.key for key in report.diary.parked] == ["o-0042"]
    assert report.diary.redriven == 2


async def test_the_store_is_sound(report: Report) -> None:
    assert report.verdict.sound
    assert [check.outcome for check in report.verdict.checks] == ["holds"] * len(report.verdict.checks)


async def test_the_demo_says_that_all_holds(report: Report) -> None:
    assert report.holds


async def test_the_report_fits_eighty_columns(report: Report, told: io.StringIO) -> None:
    text = told.getvalue()
    assert "payments, taken twice: 0" in text
    assert "✗" not in text
    seen, _, copied = text.partition("Look further")
    assert all(len(line) <= 80 for line in seen.splitlines())
    assert "analytics.order_overview " in seen
    assert f"export TIDINGS_STORE=sqlite:///{relpath(report.folder)}/shop.db" in copied


async def test_the_advice_of_the_demo_can_be_followed(report: Report) -> None:
    environment = os.environ | {
        "PYTHONPATH": str(ROOT / "examples"),
        "TIDINGS_STORE": f"sqlite:///{report.folder / 'shop.db'}",
    }
    for command, _ in commands(report):
        if command.startswith("tidings") and not command.startswith("tidings run"):
            words = [sys.executable, "-m", *command.split()]
            done = await anyio.run_process(words, env=environment, check=False)
            assert done.returncode == 0, f"{command}: {done.stderr.decode()}"


def test_a_new_demo_leaves_files_alone_that_are_not_its_own(tmp_path: Path) -> None:
    for name in ("shop.db", "shop.db-wal", "goods.log", "outside/cards.jsonl", "mine.txt", "notes/mine.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    empty(tmp_path)
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["mine.txt", "notes/mine.txt"]
