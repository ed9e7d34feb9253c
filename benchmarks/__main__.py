"""`python -m benchmarks [name ...]`: ask all questions, or these; a JSON line each, and a table at the end.

`--quick` runs each just long enough to see that it works, and keeps nothing. Otherwise the results join
`benchmarks/results.json`, from which `--publish` writes the figures of README and docs. Ends with 1 where an aim is
missed (never with `--quick`).
"""

from __future__ import annotations

import argparse
import importlib
import sys

import msgspec

from benchmarks import QUESTIONS
from benchmarks.harness import ROOT, Size, steady
from benchmarks.publish import publish
from benchmarks.results import Results, table


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("name", nargs="*", help=f"one or more of: {', '.join(QUESTIONS)}")
    parser.add_argument("--quick", action="store_true", help="a run that only shows that it works")
    parser.add_argument("--publish", action="store_true", help="write the figures into README and docs as well")
    given = parser.parse_args()
    unknown = [name for name in given.name if name not in QUESTIONS]
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(QUESTIONS)}")
    steady()
    sys.path.append(str(ROOT / "examples"))  # the shop is the load of some
    found = []
    for name in given.name or QUESTIONS:
        for result in importlib.import_module(f"benchmarks.{name}").run(Size(given.quick)):
            print(msgspec.json.encode(result).decode(), flush=True)
            found.append(result)
            if not given.quick:
                Results.load().joined([result]).save()
    print("\n" + table(found))
    if given.publish:
        publish()
    return 0 if given.quick or all(result.met for result in found) else 1


if __name__ == "__main__":
    sys.exit(main())
