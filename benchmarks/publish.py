"""Write the figures into README and docs: `python -m benchmarks.publish`; `--check` only says whether they are there.

A place for figures is a marked block, and what stands in it is replaced:

    <!-- bench:NAME -->112,000 events/s<!-- /bench -->    ours of one benchmark, with its unit
    <!-- bench:NAME.ratio_floor -->0.55<!-- /bench -->    one of its other figures
    <!-- bench:table -->                                  all of them, and what they were measured on
    <!-- bench:machine -->                                the machine, in general words
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import ROOT, Result
from benchmarks.results import HEADS, Results, row, shown

BLOCK = re.compile(r"(<!-- bench:([\w.]+) -->)(.*?)(<!-- /bench -->)", re.DOTALL)
FIGURES = ("ours", "floor", "peer", "ratio_floor", "ratio_peer", "n", "fsync_us")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.publish", description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; end with 1 where a page is out of date")
    check = parser.parse_args().check
    old = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        fresh = filled(text, Results.read())
        if fresh != text:
            old.append(page.relative_to(ROOT).as_posix())
            if not check:
                page.write_text(fresh, encoding="utf-8")
    for name in old:
        print(f"{name} {'is out of date: make bench, or python -m benchmarks.publish' if check else 'is written'}")
    return 1 if check and old else 0


def pages() -> Iterator[Path]:
    yield ROOT / "README.md"
    yield from sorted((ROOT / "docs").rglob("*.md"))


def filled(text: str, results: Results) -> str:
    """The page with the figures of now in its blocks. Raises KeyError for a block that nobody measures."""
    return BLOCK.sub(lambda found: found[1] + words(found[2], results) + found[4], text)


def words(block: str, results: Results) -> str:
    if block == "machine":
        return results.machine
    if block == "table":
        return f"\n{markdown(results)}\n"
    by_name = {result.name: result for result in results.results}
    if block in by_name:
        return f"{shown(by_name[block].ours)} {by_name[block].unit}"
    name, _, field = block.rpartition(".")
    if field not in FIGURES:
        raise KeyError(block)
    value = getattr(by_name[name], field)
    return f"{value:.2g}" if field.startswith("ratio") and value < 10 else shown(value)


def markdown(results: Results) -> str:
    lines = [HEADS, ["---"] * len(HEADS), *(row(result) for result in results.results)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{table}\n\nMeasured on {results.machine}; {about(results.results)}"


def about(results: list[Result]) -> str:
    """Versions and the latency of an fsync, which every durable figure hangs on."""
    fsyncs = [result.fsync_us for result in results]
    versions = {name: v for result in results for name, v in result.versions.items()}
    told = ", ".join(f"{name} {v}" for name, v in sorted(versions.items()))
    return f"an fsync took {min(fsyncs)} to {max(fsyncs)} µs. Versions: {told}."


if __name__ == "__main__":
    sys.exit(main())
