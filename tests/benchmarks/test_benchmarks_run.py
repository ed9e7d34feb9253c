"""Every benchmark works and prints what it promises. Nothing is said here about how fast anything is."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from benchmarks import QUESTIONS
from benchmarks.harness import Aim, Result, Size, rounds, spread
from benchmarks.publish import SUMMARY, filled, filled_pages
from benchmarks.results import FILE, Results, table, to_floor
from tests.architecture.sources import ROOT

KEYS = {"name", "n", "ours", "floor", "peer", "ratio_floor", "ratio_peer", "versions", "fsync_us"}


@pytest.mark.slow
@pytest.mark.parametrize("name", QUESTIONS)
def test_each_benchmark_runs_and_prints_its_line(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", name, "--quick"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "examples")])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert lines
    for line in lines:
        assert line.keys() >= KEYS
        assert line["ours"] > 0
        assert line["versions"]["tidings"]


def test_every_question_says_in_its_docstring_what_it_asks() -> None:
    for name in QUESTIONS:
        text = (ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8")
        assert "?" in text.partition("\n")[0], f"{name} asks nothing"


def result(**given: object) -> Result:
    plain = {
        "name": "a", "n": 1, "unit": "events/s", "ours": 1234.0, "low": 1.0, "high": 2.0, "runs": 1,
        "versions": {"tidings": "1"}, "fsync_us": 7,
    }  # fmt: skip
    return Result(**{**plain, **given})  # type: ignore[arg-type]


def test_turns_are_taken_and_the_first_round_only_warms_up() -> None:
    turns: list[str] = []

    def way(name: str, figure: float) -> float:
        turns.append(name)
        return figure

    figures = rounds({"floor": lambda _: way("floor", 2.0), "ours": lambda _: way("ours", 1.0)}, Size())
    assert turns[:6] == ["floor", "ours", "ours", "floor", "floor", "ours"]
    assert figures == {"floor": [2.0] * Size().runs, "ours": [1.0] * Size().runs}


def test_the_spread_of_the_rounds_is_kept_and_shown_beside_the_median() -> None:
    assert spread([1.0, 3.0, 2.0], [2.0, 4.0, 8.0]) == (0.25, 0.75)
    assert to_floor(result(ratio_floor=0.5, spread=(0.25, 0.75))) == "0.50 (0.25 to 0.75)"


def test_a_peer_that_is_not_installed_is_left_out() -> None:
    assert rounds({"ours": lambda _: 1.0, "peer": lambda _: None}, Size(quick=True)) == {"ours": [1.0]}


def test_an_aim_that_is_missed_is_seen_and_one_that_nobody_measured_is_not() -> None:
    assert not result(ratio_floor=0.4, aims=[Aim("ratio_floor", ">=", 0.5)]).met
    assert result(ratio_floor=0.5, aims=[Aim("ratio_floor", ">=", 0.5), Aim("ratio_peer", ">=", 4)]).met


def test_figures_reach_the_marked_blocks_of_a_page() -> None:
    results = Results("2 cores", [result(ratio_floor=0.5)])
    page = "so <!-- bench:a -->?<!-- /bench -->, <!-- bench:a.ratio_floor --><!-- /bench --> of it"
    told = "so <!-- bench:a -->1,234 events/s<!-- /bench -->, <!-- bench:a.ratio_floor -->0.5<!-- /bench --> of it"
    assert filled(page, results) == told
    assert filled(told, results) == told
    with pytest.raises(KeyError):
        filled("<!-- bench:b -->?<!-- /bench -->", results)


def test_the_summary_and_the_whole_table_are_written_as_markdown() -> None:
    results = Results("2 cores", [result(name="append_batch", ratio_peer=4.4, peer_name="other"), result()])
    page = filled("<!-- bench:summary --><!-- /bench --> <!-- bench:table --><!-- /bench -->", results)
    assert "| events published, 1,000 in a call | 1,234 events/s |  | 4 × other |" in page
    assert "2 cores; an fsync took 7 to 7 µs. Versions: tidings 1." in page


def test_every_block_of_a_page_is_of_a_benchmark_that_there_is() -> None:
    assert SUMMARY.keys() <= set(QUESTIONS)
    if FILE.exists():
        for _, _, fresh in filled_pages():
            assert "<!-- bench:" not in fresh or "<!-- /bench -->" in fresh


def test_the_table_shows_each_figure_beside_its_aim() -> None:
    told = table([result(ratio_floor=0.4, aims=[Aim("ratio_floor", ">=", 0.5)])])
    assert "1,234 (1 to 2) events/s" in told
    assert "0.40" in told
    assert "NO" in told
