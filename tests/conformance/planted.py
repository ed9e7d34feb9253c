"""Is the suite blind? The bugs of planted.txt, one at a time in a copy of the memory engine; each must be caught.

`python -m tests.conformance.planted` plants them all and prints what caught each; with `--all` every promise is tried,
and not only those that are about the bug's subject.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
ENGINE = "src/tidings/engine/memory"


class Bug(NamedTuple):
    """`old` becomes `new` in `file`; some promise whose name has one of `words` must break."""

    name: str
    file: str
    old: str
    new: str
    words: str
    engine: str


def read(block: str) -> Bug:
    name, where, *lines = block.strip("\n").split("\n")
    file, _, rest = where.partition(": ")
    words, _, engine = rest.partition(" @")
    old = "\n".join(line[1:] for line in lines if line.startswith("-"))
    new = "\n".join(line[1:] for line in lines if line.startswith("+"))
    return Bug(name, file, old, new, words, engine or "memory")


BUGS = [read(block) for block in Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").split("\n\n")[1:]]


def caught(bug: Bug, *, everything: bool = False) -> str:
    """Which promise broke; "" if the bug survived."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "src")
        shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
        target = Path(folder, ENGINE, bug.file)
        text = target.read_text(encoding="utf-8")
        assert bug.old in text, f"{bug.file} has changed: plant {bug.name!r} anew"
        target.write_text(text.replace(bug.old, bug.new), encoding="utf-8")
        command = [sys.executable, "-m", "tests.conformance.perform", bug.engine]
        environment = os.environ | {"PYTHONPATH": f"{source}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
        words = [] if everything else bug.words.split()
        try:
            ended = subprocess.run(
                [*command, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
            )
        except subprocess.TimeoutExpired:
            return "it hangs"
        if ended.returncode not in {0, 1} or not (ended.stdout or ended.returncode == 0):
            return f"it does not start: {ended.stderr[-500:]}"
        return ended.stdout.strip() if ended.returncode else ""


def main() -> int:
    survived = 0
    for bug in BUGS:
        by = caught(bug, everything="--all" in sys.argv)
        survived += not by
        print(f"{'caught  ' if by else 'SURVIVED'} {bug.file}: {bug.name}  <- {by[:150]}", flush=True)
    print(f"{len(BUGS) - survived} of {len(BUGS)} caught")
    return 1 if survived else 0


if __name__ == "__main__":
    raise SystemExit(main())
