"""What users write is seen by both type checkers, strictly: right code passes, wrong code is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def checked(*command: str) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_mypy_refuses_what_is_wrong_and_nothing_else() -> None:
    checked("mypy", "tests/typing/typing_api.py", "tests/domain/trade.py")


def test_pyright_refuses_what_is_wrong_and_nothing_else() -> None:
    checked("pyright", "--pythonpath", sys.executable, "--project", "tests/typing/pyrightconfig.json")
