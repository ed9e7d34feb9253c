"""Two hundred kills of real processes, some frozen ones, and then everything adds up (I1-I6, I8, I10, I19)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("TIDINGS_TEST_KILLS", "200"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_hundred_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "proof", "--kills", str(KILLS), "--keep", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=580, check=False)
    assert done.stdout, done.stderr
    result = json.loads(done.stdout)
    assert result["violations"] == {}, result
    assert result["kills"] >= KILLS * 0.95
    assert result["frozen"] >= 1, "no zombie was made"
    assert result["events"] > 1000
    assert all(result["points"].values()), f"a named point was never reached: {result['points']}"
