"""Does anybody starve? Four processes on one SQLite file, each publishing one event after another, as fast as it can.

The figure is the longest wait for one commit in any of them, in milliseconds. The floor leaves the order to SQLite's
busy timeout, which wakes whoever polls at the right moment.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from benchmarks.harness import ROOT, Aim, Result, Size, compare

PROCESSES = 4


class Waits(msgspec.Struct):
    """What one process tells: how many commits, and the longest wait for one, in milliseconds."""

    commits: int
    longest: float


def run(size: Size) -> Iterator[Result]:
    seconds = size.of(3, 1)
    shares: list[float] = []

    def with_tidings(folder: Path) -> float:
        told = contend("ours", folder, seconds)
        shares.append(min(w.commits for w in told) / max(w.commits for w in told))
        return max(w.longest for w in told)

    result = compare(
        "fairness_of_four",
        PROCESSES,
        size,
        ours=with_tidings,
        floor=lambda folder: max(w.longest for w in contend("floor", folder, seconds)),
        unit="ms",
        aims=[Aim("ours", "<=", 1_000)],
    )
    result.note = f"the slowest process had {min(shares):.0%} of the commits of the fastest, in the worst of the runs"
    yield result


def contend(whose: Literal["ours", "floor"], folder: Path, seconds: int) -> list[Waits]:
    """Start them, let them begin at the same moment, and hear what they tell."""
    command = [sys.executable, "-m", "benchmarks.writer", whose, str(folder), str(seconds)]
    subprocess.run([*command, "0"], cwd=ROOT, check=True, capture_output=True)  # makes the file
    at = str(time.time() + 1.0)
    running = [subprocess.Popen([*command, at], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)]
    return [msgspec.json.decode(process.communicate()[0], type=Waits) for process in running]
