"""Write the figures into README and docs: `python -m benchmarks.publish`, or `--check` to see whether they are there.

A place for figures is a marked block, and what stands in it is replaced:

    <!-- bench:NAME -->112,000 events/s<!-- /bench -->    ours of one benchmark, with its unit
    <!-- bench:NAME.ratio_floor -->0.55<!-- /bench -->    one of its other figures
    <!-- bench:summary -->                                the ones that most people ask for
    <!-- bench:table -->                                  all of them, and what they were measured on
    <!-- bench:machine -->                                the machine, in general words
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from benchmarks.harness import ROOT, Result
from benchmarks.results import HEADS, Results, row, shown, to_floor

BLOCK = re.compile(r"(<!-- bench:([\w.]+) -->)(.*?)(<!-- /bench -->)", re.DOTALL)
SUMMARY = {
    "pipeline_exactly_once": "events handled exactly once, each telling another",
    "append_batch": "events published, 1,000 in a call",
    "append_awaited": "events published one in a call, from 100 tasks",
    "load_aggregate": "events folded into an aggregate",
    "saga_three_steps": "sagas of three steps",
    "call_latency": "a command and its answer, two commits",
}
FIGURES = ("ours", "floor", "peer", "ratio_floor", "ratio_peer", "n", "fsync_us")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.publish", description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; end with 1 where a page is out of date")
    if parser.parse_args().check:
        old = [page for page, text, fresh in filled_pages() if text != fresh]
        for page in old:
            print(f"{page.relative_to(ROOT)} is out of date: python -m benchmarks.publish")
        return 1 if old else 0
    publish()
    return 0


def publish() -> None:
    for page, text, fresh in filled_pages():
        if text != fresh:
            page.write_text(fresh, encoding="utf-8")
            print(f"{page.relative_to(ROOT)} is written")


def filled_pages() -> Iterator[tuple[Path, str, str]]:
    """(page, its text, its text with the figures of now)."""
    results = Results.read()
    for page in pages():
        text = page.read_text(encoding="utf-8")
        yield page, text, filled(text, results)


def pages() -> Iterator[Path]:
    yield ROOT / "README.md"
    yield from sorted((ROOT / "docs").rglob("*.md"))


def filled(text: str, results: Results) -> str:
    """The page with the figures of now in its blocks. Raises KeyError for a block that nobody measures."""
    return BLOCK.sub(lambda found: found[1] + words(found[2], results) + found[4], text)


def words(block: str, results: Results) -> str:
    if block == "machine":
        return results.machine
    if block in {"summary", "table"}:
        return f"\n{summary(results) if block == 'summary' else markdown(results)}\n"
    by_name = {result.name: result for result in results.results}
    if block in by_name:
        return f"{shown(by_name[block].ours)} {by_name[block].unit}"
    name, _, field = block.rpartition(".")
    if field not in FIGURES:
        raise KeyError(block)
    value = getattr(by_name[name], field)
    return f"{value:.2g}" if field.startswith("ratio") and value < 10 else shown(value)


def summary(results: Results) -> str:
    lines = [["what, on one SQLite file with an fsync in every commit", "tidings", "of the floor", "times the peer"]]
    lines.append(["---"] * len(lines[0]))
    for result in results.results:
        if result.name in SUMMARY:
            peer = "" if result.ratio_peer is None else f"{result.ratio_peer:.0f} × {result.peer_name}"
            lines.append([SUMMARY[result.name], f"{shown(result.ours)} {result.unit}", to_floor(result), peer])
    return f"{cells(lines)}\n\n{results.machine}; {fsyncs(results.results)}"


def markdown(results: Results) -> str:
    lines = [HEADS, ["---"] * len(HEADS), *(row(result) for result in results.results)]
    told = f"{fsyncs(results.results)} {loads(results.results)}{used(results.results)}"
    return f"{cells(lines)}\n\n{results.machine}; {told}"


def cells(lines: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def fsyncs(results: list[Result]) -> str:
    """The latency of an fsync, which every durable figure hangs on."""
    found = sorted(result.fsync_us for result in results)
    return f"an fsync took {found[0]} to {found[-1]} µs."


def loads(results: list[Result]) -> str:
    """How busy the machine was before each: figures of one table need not be of one hour."""
    found = sorted(result.load for result in results if result.load is not None)
    return f"Load when each began: {found[0]} to {found[-1]}. " if found else ""


def used(results: list[Result]) -> str:
    versions = {name: v for result in results for name, v in result.versions.items()}
    return f"Versions: {', '.join(f'{name} {v}' for name, v in sorted(versions.items()))}."


if __name__ == "__main__":
    sys.exit(main())
