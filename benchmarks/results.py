"""The last figures of each benchmark, as they are kept in `results.json` and shown."""

from __future__ import annotations

import msgspec

from benchmarks.harness import ROOT, Result, machine

FILE = ROOT / "benchmarks" / "results.json"


class Results(msgspec.Struct, frozen=True):
    """`machine`: in general words. A file of another machine is begun anew: figures of two are never mixed."""

    machine: str
    results: list[Result] = []

    @classmethod
    def read(cls) -> Results:
        return msgspec.json.decode(FILE.read_bytes(), type=cls) if FILE.exists() else cls(machine())

    @classmethod
    def load(cls) -> Results:
        """What is kept, if it is of this machine: new figures may join it."""
        kept = cls.read()
        return kept if kept.machine == machine() else cls(machine())

    def joined(self, new: list[Result]) -> Results:
        """With these in the place of older ones of the same name."""
        by_name = {result.name: result for result in (*self.results, *new)}
        return Results(self.machine, sorted(by_name.values(), key=lambda result: result.name))

    def save(self) -> None:
        FILE.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")


HEADS = ("benchmark", "ours", "floor", "ratio", "peer", "ratio", "aim", "met")


def row(result: Result) -> tuple[str, ...]:
    """One line of the table, as text."""
    return (
        result.name,
        f"{shown(result.ours)} ({shown(result.low)} to {shown(result.high)}) {result.unit}",
        shown(result.floor),
        to_floor(result),
        f"{shown(result.peer)} {result.peer_name}".strip(),
        "" if result.ratio_peer is None else f"{result.ratio_peer:.1f}",
        ", ".join(map(str, result.aims)),
        "" if not result.aims else "yes" if result.met else "NO",
    )


def to_floor(result: Result) -> str:
    """The median ratio, and the extremes of the rounds."""
    if result.ratio_floor is None:
        return ""
    extremes = "" if result.spread is None else " ({:.2f} to {:.2f})".format(*result.spread)
    return f"{result.ratio_floor:.2f}{extremes}"


def shown(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(results: list[Result]) -> str:
    """For a terminal: columns as wide as they need to be."""
    rows = [HEADS, *map(row, results)]
    widths = [max(len(line[at]) for line in rows) for at in range(len(HEADS))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in rows)
