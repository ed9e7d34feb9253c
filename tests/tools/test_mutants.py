"""The mutation tool finds a test that is missing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tools.mutants import difference, mutants, run

HEALTHY = """
def fits(size, limit):
    if size < limit and limit:
        return size + 1
    return None
"""


def test_each_mutant_differs_in_one_place_and_is_a_program() -> None:
    made = [mutant for _, mutant in mutants(HEALTHY)]
    assert len(made) == len(set(made)) == 6
    assert ast.unparse(ast.parse(HEALTHY)) not in made
    assert "return size - 1" in "\n".join(made)
    assert all(difference(HEALTHY, mutant).count("\n-") == 1 for mutant in made)


@pytest.mark.slow
def test_a_mutant_that_no_test_kills_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    blind, seeing = tmp_path / "test_blind.py", tmp_path / "test_seeing.py"
    blind.write_text("import tidings.clock\n\ndef test_nothing():\n    assert tidings.clock\n")
    seeing.write_text("from tidings.clock import MICRO\n\ndef test_micro():\n    assert MICRO == 10**6\n")
    clock = Path(__file__).resolve().parents[2] / "src" / "tidings" / "clock.py"
    assert run(clock, [str(blind)], first=1) == 1
    assert "0 killed, 1 survived" in capsys.readouterr().out
    assert run(clock, [str(seeing)], first=1) == 0
    assert "1 killed, 0 survived" in capsys.readouterr().out
