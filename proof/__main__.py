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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from proof import actors, check
from proof.nemesis import Nemesis, fork


def prove(kills: int, seed: int, freezes: int, folder: Path, within: float = 120, store: str = "") -> dict[str, Any]:
    """One run: kill, let it come to rest, check. The result is a line of the ledger."""
    began = time.monotonic()
    gc.freeze()
    nemesis = Nemesis(folder, seed, store=store)
    record = nemesis.run(kills, freezes)
    finisher = fork(lambda: actors.finish(nemesis.store, within))
    _, status = os.waitpid(finisher, 0)
    found = asyncio.run(check.gather(nemesis.store, folder))
    broken = check.violations(found)
    if status:
        broken["i19_it_comes_to_rest"] = ["the system did not come to rest after the last kill"]
    lacking = sorted(set(nemesis.named) - set(+record.reached)) if kills >= 3 * len(nemesis.named) else []
    if lacking:
        broken["points"] = [f"nobody died at {point}" for point in lacking]
    times = check.recovery(found, record.deaths)
    return {
        "engine": nemesis.store.partition(":")[0],
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


@contextmanager
def empty(store: str, seed: int) -> Iterator[str]:
    """A schema of its own in a database; a file is in the folder of the proof."""
    if not store.startswith("postgres"):
        yield store
        return
    name = f"proof_{seed}_{os.getpid()}"
    with psycopg.connect(store, autocommit=True) as c:
        c.execute(f'create schema "{name}"'.encode())
        try:
            yield f"{store}{'&' if '?' in store else '?'}options=-csearch_path%3D{name}"
        finally:
            c.execute(f'drop schema "{name}" cascade'.encode())


def commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def main() -> int:
    parser = argparse.ArgumentParser(prog="proof", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--freezes", type=int, default=3)
    parser.add_argument("--within", type=float, default=120, help="seconds to come to rest after the last kill")
    parser.add_argument("--store", default="", help="postgresql://...: a schema is made there, and taken away")
    parser.add_argument("--ledger", type=Path, help="append the result to this JSON file")
    parser.add_argument("--keep", type=Path, help="leave the file and the histories here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with empty(arguments.store, arguments.seed) as store:
            result = prove(arguments.kills, arguments.seed, arguments.freezes, folder, arguments.within, store)
    line = {"commit": commit(), **result}
    print(json.dumps(line))
    if arguments.ledger:
        old = json.loads(arguments.ledger.read_text()) if arguments.ledger.exists() else []
        arguments.ledger.write_text(json.dumps([*old, line], indent=1) + "\n")
    return 1 if result["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
