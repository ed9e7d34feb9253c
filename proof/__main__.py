"""`python -m proof --kills 200 --seed 7 [--freezes 3] [--ledger proof.json] [--keep FOLDER]`."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from proof import actors, check
from proof.nemesis import NAMED, Nemesis, fork


def prove(kills: int, seed: int, freezes: int, folder: Path, within: float = 120) -> dict[str, Any]:
    """One run: kill, let it come to rest, check. The result is a line of the ledger."""
    began = time.monotonic()
    gc.freeze()
    nemesis = Nemesis(folder, seed)
    record = nemesis.run(kills, freezes)
    finisher = fork(lambda: actors.finish(nemesis.store, within))
    _, status = os.waitpid(finisher, 0)
    found = asyncio.run(check.gather(nemesis.store, folder))
    broken = check.violations(found)
    if status:
        broken["i19_it_comes_to_rest"] = ["the system did not come to rest after the last kill"]
    lacking = sorted(set(NAMED) - set(record.reached)) if kills >= 3 * len(NAMED) else []
    if lacking:
        broken["points"] = [f"nobody died at {point}" for point in lacking]
    times = check.recovery(found, record.deaths)
    return {
        "seed": seed,
        "kills": record.kills,
        "frozen": record.frozen,
        "points": dict(record.reached),
        "events": len(found.log),
        "effects": len(found.effects),
        "parked": len(found.parked),
        "calls": len(found.answered),
        "violations": broken,
        "recovery_p50_s": round(statistics.median(times), 3) if times else None,
        "recovery_p99_s": round(sorted(times)[int(len(times) * 0.99)], 3) if times else None,
        "seconds": round(time.monotonic() - began, 1),
    }


def commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def main() -> int:
    parser = argparse.ArgumentParser(prog="proof", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--freezes", type=int, default=3)
    parser.add_argument("--within", type=float, default=120, help="seconds to come to rest after the last kill")
    parser.add_argument("--ledger", type=Path, help="append the result to this JSON file")
    parser.add_argument("--keep", type=Path, help="leave the file and the histories here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        result = prove(arguments.kills, arguments.seed, arguments.freezes, folder, arguments.within)
    line = {"commit": commit(), **result}
    print(json.dumps(line))
    if arguments.ledger:
        old = json.loads(arguments.ledger.read_text()) if arguments.ledger.exists() else []
        arguments.ledger.write_text(json.dumps([*old, line], indent=1) + "\n")
    return 1 if result["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
