"""The shop's workers: real processes, each running some of its services, started and stopped as a user would.

A worker ends in one of two ways. It is stopped (SIGTERM): it finishes what it has in hand and gives its partitions
back. Or it is killed (SIGKILL): it dies where it stands.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Worker:
    name: str
    services: Sequence[str]
    process: asyncio.subprocess.Process
    stopping: bool = False

    @property
    def pid(self) -> int:
        return self.process.pid


@dataclass
class Workers:
    """`folder`: where data and logs lie. `died` is told of a worker that nobody stopped, and its exit code."""

    folder: Path
    died: Callable[[Worker, int], None]
    living: dict[str, Worker] = field(default_factory=dict[str, Worker])
    names: dict[int, str] = field(default_factory=dict[int, str])  # of every process that ever was
    _watches: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])

    @property
    def store(self) -> str:
        """A file in the folder, unless SHOP_STORE names another, empty one."""
        return os.environ.get("SHOP_STORE") or f"sqlite:///{self.folder / 'shop.db'}"

    @property
    def environment(self) -> dict[str, str]:
        """What every process of the shop is told besides its services."""
        path = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path),  # where the shop is imported from
            "TIDINGS_STORE": self.store,
            "TIDINGS_HISTORY": str(self.folder / "history"),
            "SHOP_OUTSIDE": str(self.folder / "outside"),
        }

    async def start(self, name: str, *services: str, **environment: str) -> Worker:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *tidings("run", "shop:shop", "--only", ",".join(services), "--supervised"),
                env=self.environment | environment,
                stdin=asyncio.subprocess.PIPE,  # it ends with this process, however that ends
                stdout=log,
                stderr=log,
            )
        worker = Worker(name, services, process)
        self.living[name], self.names[process.pid] = worker, name
        self._watches.append(asyncio.create_task(self._watch(worker)))
        return worker

    async def stop(self, name: str) -> None:
        """Ask it to finish, and wait until it has."""
        worker = self.living[name]
        worker.stopping = True
        worker.process.send_signal(signal.SIGTERM)
        await worker.process.wait()

    async def stop_all(self) -> None:
        await asyncio.gather(*(self.stop(name) for name in tuple(self.living)))
        await asyncio.gather(*self._watches)

    def kill(self, name: str) -> None:
        self.living[name].process.kill()

    async def kill_all(self) -> None:
        """However the demo ends, nothing is left running."""
        for worker in tuple(self.living.values()):
            worker.stopping = True
            worker.process.kill()
        await asyncio.gather(*self._watches, return_exceptions=True)

    def largest(self) -> int | None:
        """The most memory that a living worker ever had, in bytes; None where this machine does not tell."""
        found = [size for worker in self.living.values() if (size := memory(worker.pid)) is not None]
        return max(found, default=None)

    async def _watch(self, worker: Worker) -> None:
        code = await worker.process.wait()
        self.living.pop(worker.name, None)
        if not worker.stopping:
            self.died(worker, code)


def tidings(*words: str) -> list[str]:
    """The command line of this very installation."""
    return [sys.executable, "-m", "tidings", *words]


def memory(pid: int) -> int | None:
    """The most memory that a process ever had, in bytes, as Linux tells it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return None
    lines = [line.split() for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0][1]) * 1024 if lines else None
