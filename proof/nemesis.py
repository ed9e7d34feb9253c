"""Kills. Processes are forked from one that has everything imported, so that a kill costs milliseconds, not imports.

random   SIGKILL at a random moment
named    the process kills itself at the n-th time it reaches a named point (tidings.signals)
frozen   SIGSTOP at a named point for longer than the lease, then SIGCONT: a zombie that wakes up and commits
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import select
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proof import actors
from tidings import signals

OF_ENGINES = ("sqlite.", "postgres.")


def named(store: str) -> list[str]:
    """The points that processes on this store come by; there is no relay."""
    mine = "postgres." if store.startswith("postgres") else "sqlite."
    return [p for p in signals.POINTS if p.startswith(("member.", mine))]


PATIENCE = 4.0  # seconds until a process that does not get to its point is killed anyway


@dataclass
class Record:
    """What was done: `reached` counts deaths at each named point; `kills`: (wall time in µs, pid) of workers."""

    kills: int = 0
    frozen: int = 0
    reached: Counter[str] = field(default_factory=Counter)
    deaths: list[tuple[int, int]] = field(default_factory=list)


def fork(make: Callable[[], Coroutine[Any, Any, None]], arm: Callable[[], None] = lambda: None) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    logging.disable(logging.CRITICAL)  # what fails here is meant to
    try:
        arm()
        asyncio.run(make())
        code = 0
    except BaseException as error:  # noqa: BLE001 -- a child must never get back into the parent's code
        print(f"{os.getpid()}: {error!r}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)


class Nemesis:
    def __init__(self, folder: Path, seed: int, workers: int = 2, store: str = "") -> None:
        self.folder, self.dice, self.record = folder, random.Random(seed), Record()
        self.store = store or f"sqlite:///{folder}/proof.db"
        self.named = named(self.store)
        self.seed, self.born = seed, 0
        self.workers = [self._worker() for _ in range(workers)]
        self.publisher = self._publisher()

    def _worker(self, arm: Callable[[], None] = lambda: None) -> int:
        return fork(lambda: actors.worker(self.store), arm)

    def _publisher(self, arm: Callable[[], None] = lambda: None) -> int:
        self.born += 1
        name, seed = f"p{self.born}", self.seed * 10_000 + self.born
        return fork(lambda: actors.publisher(self.store, name, seed, self.folder), arm)

    def run(self, kills: int, freezes: int) -> Record:
        plan = ["frozen"] * freezes + self._schedule(kills - freezes)
        self.dice.shuffle(plan)
        points = self.named * (len(plan) // len(self.named) + 1)
        for act in plan:
            _rest(0.02 + self.dice.random() * 0.1)
            if act == "named":
                self._named(points.pop(0))
            elif act == "frozen":
                self._freeze(self.dice.choice(["member.decided", "member.fetched", "member.claimed"]))
            else:
                self._random()
        self._stop()
        return self.record

    def _schedule(self, kills: int) -> list[str]:
        named = max(len(self.named), kills // 3)
        return ["named"] * min(named, kills) + ["random"] * max(0, kills - named)

    def _random(self) -> None:
        if self.dice.random() < 0.25:
            self._kill(self.publisher)
            self.publisher = self._publisher()
            return
        slot = self.dice.randrange(len(self.workers))
        self._kill(self.workers[slot])
        self.workers[slot] = self._worker()

    def _named(self, point: str) -> None:
        """The point is armed in a new process that takes the place of a running one."""
        count = self.dice.randint(1, 3)

        def arm() -> None:
            signals.arm(f"{point}:{count}")

        slot = self.dice.randrange(len(self.workers))
        if point.startswith(OF_ENGINES) and not point.endswith(".swept") and self.dice.random() < 0.3:
            self._kill(self.publisher)
            pid = self.publisher = self._publisher(arm)
            died = self._await_death(pid)
            self.publisher = self._publisher()
        else:
            if point == "member.released":  # given back by the others when somebody comes: the newcomer must live on
                pid = self._arm_release(slot, arm)
            else:
                self._kill(self.workers[slot])
                pid = self.workers[slot] = self._worker(arm)
            died = self._await_death(pid)
            self.workers[slot] = self._worker()
        self.record.kills += died
        self.record.reached[point] += died

    def _arm_release(self, slot: int, arm: Callable[[], None]) -> int:
        """A graceful stop gives its partitions back, and dies doing so. It must have some: a pipe says when."""
        has, says = os.pipe()

        def arm_and_tell() -> None:
            arm()
            listen("member.claimed", lambda: os.write(says, b"x"))

        self._kill(self.workers[slot])
        pid = self.workers[slot] = self._worker(arm_and_tell)
        select.select([has], [], [], PATIENCE)
        os.close(has)
        os.close(says)
        _rest(0.1)
        os.kill(pid, signal.SIGTERM)
        return pid

    def _await_death(self, pid: int) -> bool:
        """True if it died at its point; else it is killed now, and the point was not reached."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                self.record.deaths.append((time.time_ns() // 1000, pid))
                return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
            _rest(0.005)
        self._kill(pid, count=False)
        return False

    def _freeze(self, point: str) -> None:
        def arm() -> None:
            def stop() -> None:
                os.kill(os.getpid(), signal.SIGSTOP)

            listen(point, stop)

        slot = self.dice.randrange(len(self.workers))
        self._kill(self.workers[slot])
        pid = self.workers[slot] = self._worker(arm)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            done, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
            if done and os.WIFSTOPPED(status):
                _rest(actors.LEASE * 2)
                os.kill(pid, signal.SIGCONT)
                self.record.frozen += 1
                _rest(0.2)  # it wakes up, and must find that others went on
                return
            _rest(0.005)

    def _kill(self, pid: int, *, count: bool = True) -> None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        self.record.kills += count
        if pid in self.workers:
            self.record.deaths.append((time.time_ns() // 1000, pid))

    def _stop(self) -> None:
        for pid in (*self.workers, self.publisher):
            self._kill(pid)


def listen(point: str, once: Callable[[], object]) -> None:
    """For the rest of this process's life; only the first time counts."""
    done = False

    def call() -> None:
        nonlocal done
        if not done:
            done = True
            once()

    signals._listeners.setdefault(point, []).append(call)


def _rest(seconds: float) -> None:
    """The nemesis itself is no test: it lets time pass for others."""
    select.select([], [], [], seconds)
