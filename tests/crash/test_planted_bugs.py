"""Is the proof blind? Bugs are planted one at a time in a copy of the source; killing must bring each to light."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]


class Bug(NamedTuple):
    name: str
    file: str
    old: str
    new: str


BUGS = [
    Bug(
        "acknowledged before it is durable",
        "engine/sqlite/writer.py",
        "            _flush(turn)\n            signals.reached(\"sqlite.written\")\n",
        "            _flush(turn)\n            self._loop.call_soon_threadsafe(self._settle, outcomes)\n"
        "            time.sleep(0.02)\n            signals.reached(\"sqlite.written\")\n",
    ),
    Bug(
        "progress is not in the commit of its effects",
        "delivery/unit.py",
        "Step(part, claim.epoch, claim.held_gen, claim.next, work.ends.get(part, claim.next), marks)",
        "Step(part, claim.epoch, claim.held_gen, claim.next, claim.next, marks)",
    ),
    Bug(
        "neither epoch nor position are compared",
        "engine/sqlite/units.py",
        "if row is None or row[0] != step.epoch or row[1] != step.at:",
        "if row is None:",
    ),
    Bug(
        "the held check is left out",
        "delivery/intake.py",
        "if record.key is not None and record.key in keys:",
        "if False:",
    ),
    Bug(
        "an event that failed lets its key pass",
        "delivery/decisions.py",
        "if first is None or first > arrival.offset:",
        "if True:",
    ),
    Bug(
        "states are not expected",
        "engine/sqlite/units.py",
        "states = [a for a, version in unit.expect.items() if _version(turn, a) != version] if unit.expect else []",
        "states = []",
    ),
    Bug("held events are forgotten", "delivery/unit.py", "hold=[*work.held, *(", "hold=[*("),
    Bug(
        "a held event that is done stays held",
        "delivery/unit.py",
        "finish=[(a.partition, a.offset) for a, _ in decisions if a.held],",
        "finish=[],",
    ),
    Bug(
        "a claim keeps the epoch",
        "engine/sqlite/statements.sql",
        "set epoch = epoch + 1, owner = excluded.owner",
        "set owner = excluded.owner",
    ),
    Bug(
        "a call has no id of its own",
        "domain/answers.py",
        "return Once(CALLS, head.id, _encode(answer), tells)",
        "return Once(CALLS + new_id().hex(), head.id, _encode(answer), tells)",
    ),
    Bug(
        "effects of a batch are written, its events not told",
        "delivery/unit.py",
        "        events += d.events\n",
        "        events += d.events if len(events) < 30 else []\n",
    ),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("bug", BUGS, ids=[b.name for b in BUGS])
def test_a_planted_bug_is_caught(bug: Bug, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    target = tmp_path / "src" / "tidings" / bug.file
    text = target.read_text()
    assert bug.old in text, f"{bug.old!r} is not in {bug.file} any more: plant it where the code is now"
    target.write_text(text.replace(bug.old, bug.new))
    for seed in range(1, 6):
        found = prove(tmp_path, seed)
        if found:
            print(f"{bug.name}: {found[:300]}")
            return
    pytest.fail("nobody noticed")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_copy_without_a_bug_passes(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    assert prove(tmp_path, 1) == ""


def prove(folder: Path, seed: int) -> str:
    """What the proof says about the copy: its violations, or that it did not even end."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder / "src"), str(ROOT)])}
    command = [sys.executable, "-m", "proof", "--kills", "25", "--freezes", "2", "--seed", str(seed), "--within", "15"]
    try:
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return "it did not end"
    if not done.stdout:
        return done.stderr or "it died"
    return json.dumps(violations) if (violations := json.loads(done.stdout)["violations"]) else ""
