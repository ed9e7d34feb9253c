"""An event that takes its process with it is found, parked with the later ones of its key, and the others are done."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_an_event_that_kills_its_process_is_parked_and_the_others_are_done(tmp_path: Path) -> None:
    program = Path(__file__).with_name("deadly.py")
    command = [sys.executable, str(program), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout, done.stderr
    result = json.loads(done.stdout)
    assert 10 <= result["deaths"] < 40
    assert result["delivered"] == {f"a{n}": 1 if n == 1 else 3 for n in range(10)}
    assert (result["held"], result["parked"]) == (2, 1), "the deadly one is parked, the later one of its key waits"
