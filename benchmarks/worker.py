"""A worker of the example shop, as a process of its own, and what the system says of it (on Linux)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import ours
from benchmarks.harness import ROOT
from shop.catalogue import Catalogue
from shop.entry import Entry, read_lines
from shop.system import shop
from tidings import minutes


@contextmanager
def running(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`tidings run shop:shop`, all services in one process, on a file in this folder; stopped at the end.

    Raises RuntimeError with what it said, where it ended by itself.
    """
    log = folder / "worker.log"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "examples")]),
        "TIDINGS_STORE": ours.store(folder),
        "SHOP_OUTSIDE": str(folder / "outside"),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tidings", "run", "shop:shop"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=log.open("wb"),
    )
    try:
        yield process
    except Exception as error:
        if process.poll() is None:
            raise
        raise RuntimeError(f"the worker ended with {process.poll()}:\n{log.read_text()[-2000:]}") from error
    finally:
        process.terminate()
        process.wait(30)


async def open_shop(folder: Path, orders: int = 0) -> None:
    """The first stock is received, so the worker is there; then these orders are placed, and all of them have ended."""
    async with shop.connect(store=ours.store(folder)) as client:
        entry = Entry(client, Catalogue.read())
        await entry.open_shop()
        await entry.take_all(read_lines()[:orders])
        await client.wait_idle(minutes(2))


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far: Linux has a clock for each."""
    return time.clock_gettime(~pid << 3 | 2)


def peak_mib(pid: int) -> float:
    """The most memory that a process ever had resident."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)
