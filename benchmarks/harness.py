"""How a question is asked: ours, the floor and the peer take turns, every turn on fresh state.

    warm-up (not counted) -> floor, ours, peer -> peer, ours, floor -> floor, ours, peer -> ...

The figure of each is the median of its turns. A ratio is the median of the ratios within the rounds, so that a slow
second of the machine strikes both sides of it. The cyclic garbage collector is set as `tidings run` sets it, in this
process and in those of the peers.
"""

from __future__ import annotations

import gc
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Literal, TypeAlias

import apsw
import msgspec

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venv-bench" / "bin" / "python"  # where `make bench` installs the peers
LACKING = 3  # how a peer's process ends where its library is not installed

Way: TypeAlias = Callable[[Path], float]  # one turn in a fresh folder; gives the figure


class Aim(msgspec.Struct, frozen=True):
    """What a figure should reach on a small machine: `of` is a field of the result."""

    of: Literal["ours", "ratio_floor", "ratio_peer"]
    sign: Literal[">=", "<="]
    bound: float

    def met(self, result: Result) -> bool | None:
        value: float | None = getattr(result, self.of)
        if value is None:
            return None
        return value >= self.bound if self.sign == ">=" else value <= self.bound

    def __str__(self) -> str:
        what = {"ours": "", "ratio_floor": " of the floor", "ratio_peer": " of the peer"}[self.of]
        return f"{self.sign} {self.bound:g}{what}"


class Result(msgspec.Struct, kw_only=True):
    """One line. Ratios are ours by theirs, whatever the unit. `low`, `high`: the extremes of ours; `spread`: those of
    the ratio to the floor over the rounds; `load`: of the machine when it began (its average over a minute)."""

    name: str
    n: int
    unit: str
    ours: float
    floor: float | None = None
    peer: float | None = None
    ratio_floor: float | None = None
    ratio_peer: float | None = None
    low: float
    high: float
    runs: int
    peer_name: str = ""
    versions: Mapping[str, str]
    fsync_us: int
    aims: list[Aim] = []
    note: str = ""
    spread: tuple[float, float] | None = None
    load: float | None = None

    @property
    def met(self) -> bool:
        return all(aim.met(self) is not False for aim in self.aims)


class Size(msgspec.Struct, frozen=True):
    """How much of everything a run does: the whole, or just enough to see that it works."""

    quick: bool = False

    def of(self, whole: int, quick: int) -> int:
        return quick if self.quick else whole

    @property
    def runs(self) -> int:
        return 1 if self.quick else 7


class Peer:
    """Another library, asked in a process of its own. Absent where it is not installed."""

    def __init__(self, module: str, what: str, n: int) -> None:
        self.module, self.what, self.n = module, what, n
        self.version = ""

    def __call__(self, folder: Path) -> float | None:
        python = str(ENVIRONMENT) if ENVIRONMENT.exists() else sys.executable
        command = [python, "-m", f"benchmarks.peers.{self.module}", self.what, str(self.n), str(folder)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode == LACKING:
            return None
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
        told = msgspec.json.decode(done.stdout.splitlines()[-1], type=Told)
        self.version = told.version
        return told.figure


class Told(msgspec.Struct, frozen=True):
    """What a peer's process prints."""

    figure: float
    version: str


def tell(library: str, figure: float) -> None:
    """The last line of a peer's process."""
    sys.stdout.write(msgspec.json.encode(Told(figure, version(library))).decode() + "\n")


def compare(
    name: str,
    n: int,
    size: Size,
    *,
    ours: Way,
    floor: Way | None = None,
    peer: Peer | None = None,
    unit: str = "events/s",
    aims: list[Aim] | None = None,
    note: str = "",
) -> Result:
    """Let them take turns, and put the figures together. A peer that is not installed is left out."""
    ways: dict[str, Callable[[Path], float | None]] = {"ours": ours}
    if floor is not None:
        ways = {"floor": floor, **ways}
    if peer is not None:
        ways["peer"] = peer
    load = round(os.getloadavg()[0], 1)
    figures = rounds(ways, size)
    mine = figures["ours"]
    return Result(
        name=name,
        n=n,
        unit=unit,
        ours=middle(mine),
        floor=middle(figures["floor"]) if "floor" in figures else None,
        peer=middle(figures["peer"]) if "peer" in figures else None,
        ratio_floor=ratio(mine, figures.get("floor")),
        ratio_peer=ratio(mine, figures.get("peer")),
        low=figure(min(mine)),
        high=figure(max(mine)),
        runs=len(mine),
        peer_name=peer.module if peer is not None and "peer" in figures else "",
        versions=versions(**({peer.module: peer.version} if peer is not None and peer.version else {})),
        fsync_us=fsync_us(),
        aims=aims or [],
        note=note,
        spread=spread(mine, figures.get("floor")),
        load=load,
    )


def rounds(ways: Mapping[str, Callable[[Path], float | None]], size: Size) -> dict[str, list[float]]:
    """The figures of each, round by round; every other round goes backwards. The first round warms up."""
    figures: dict[str, list[float]] = {way: [] for way in ways}
    absent: set[str] = set()
    for number in range(size.runs if size.quick else size.runs + 1):
        order = list(ways) if number % 2 == 0 else list(ways)[::-1]
        for way in [w for w in order if w not in absent]:
            found = in_fresh_folder(ways[way])
            if found is None:
                absent.add(way)
            elif number or size.quick:
                figures[way].append(found)
    return {way: found for way, found in figures.items() if way not in absent}


def in_fresh_folder(way: Callable[[Path], float | None]) -> float | None:
    folder = Path(tempfile.mkdtemp(prefix="tidings-bench-"))
    try:
        gc.collect()
        return way(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def middle(figures: list[float]) -> float:
    return figure(statistics.median(figures))


def figure(value: float) -> float:
    """Four digits: more would claim what no run can know."""
    return float(f"{value:.4g}")


def ratio(mine: list[float], theirs: list[float] | None) -> float | None:
    if not theirs:
        return None
    return round(statistics.median(a / b for a, b in zip(mine, theirs, strict=True)), 3)


def spread(mine: list[float], theirs: list[float] | None) -> tuple[float, float] | None:
    """The lowest and the highest ratio of a round: an aim that lies between them is neither safe nor lost."""
    if not theirs:
        return None
    found = sorted(a / b for a, b in zip(mine, theirs, strict=True))
    return round(found[0], 3), round(found[-1], 3)


def steady() -> None:
    """The collector as a worker's process has it: events are many and make no cycles."""
    gc.set_threshold(50_000, 20, 100)


def versions(**others: str) -> dict[str, str]:
    return {
        "tidings": version("tidings"),
        "python": platform.python_version(),
        "apsw": apsw.apsw_version(),
        "sqlite": apsw.sqlite_lib_version(),
        "msgspec": version("msgspec"),
        **others,
    }


def machine() -> str:
    """In general words: what one needs to know to compare, and nothing that names a machine."""
    pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores of {platform.machine()}, {round(pages * page / (1 << 30))} GiB, {platform.system()}"


def fsync_us() -> int:
    """Median microseconds of an fdatasync after a write of one page, where the files of the benchmarks lie."""
    times = []
    with tempfile.NamedTemporaryFile(prefix="tidings-bench-") as file:
        for _ in range(200):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno()) if not hasattr(os, "fdatasync") else os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return round(statistics.median(times) * 1e6)
