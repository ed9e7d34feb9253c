"""Running the command line: in this process where only its answer counts, as a process where that counts."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.ops.conftest import opener
from tidings.cli import exits, show

ROOT = Path(__file__).parents[2]
TARGET = "tests.ops.depot:depot"
HOSTILE = "\x1b[31mred\x07\u202e"


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Said]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """Call it in this process, in an empty folder, as if no terminal were there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in [n for n in os.environ if n.startswith("TIDINGS_") or n == "COLUMNS"]:
        monkeypatch.delenv(name)

    def call(*arguments: str) -> Said:
        show.out.cache_clear()
        show.err.cache_clear()
        code = exits.call(arguments)
        said = capsys.readouterr()
        assert "Traceback" not in said.err and "Traceback" not in said.out, said
        return Said(code, said.out, said.err)

    return call


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a store in which something of everything happened; for looking only."""
    return f"sqlite:///{fill(tmp_path_factory.mktemp('store') / 'depot.db')}"


@pytest.fixture
def own_store(tmp_path: Path) -> str:
    """The same, to be changed."""
    return f"sqlite:///{fill(tmp_path / 'depot.db')}"


def fill(path: Path) -> Path:
    async def work() -> None:
        async with opener(f"sqlite:///{path}")() as running:
            for parcel, weight in (("a", 5), ("b", 500), ("c", 13), (HOSTILE, 13)):
                await running.receive(parcel, weight)
            await running.client.wait_idle()

    asyncio.run(work())
    return path


# ---- processes -----------------------------------------------------------------------------------------------------


class Running:
    """One process of the command line. Its lines are read as they come: nothing here waits for time to pass."""

    def __init__(self, arguments: tuple[str, ...], folder: Path, environment: Mapping[str, str]) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TIDINGS_")}
        places = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tidings", *arguments],
            cwd=folder,
            env={**kept, "PYTHONPATH": places, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="surrogateescape",
        )
        self.said: list[str] = []

    def until(self, words: str) -> str:
        """The first line of standard error that has these words."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            if words in line:
                return line
        pytest.fail(f"it ended without saying {words!r}:\n{''.join(self.said)}")

    def line(self) -> str:
        """The next line of standard output."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, given: str | None = None) -> Said:
        """Wait for its end."""
        out, err = self.process.communicate(given, timeout=60)
        return Said(self.process.returncode, out, "".join(self.said) + err)


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Running] = []

    def begin(*arguments: str, folder: Path = tmp_path, **environment: str) -> Running:
        started.append(Running(arguments, folder, environment))
        return started[-1]

    yield begin
    for each in started:
        each.process.kill()
        for pipe in (each.process.stdin, each.process.stdout, each.process.stderr):
            if pipe is not None:
                pipe.close()
        each.process.wait()
