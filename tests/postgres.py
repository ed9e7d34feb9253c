"""A PostgreSQL that is thrown away: the one of TIDINGS_TEST_POSTGRES, or one of our own in a temporary folder."""

from __future__ import annotations

import atexit
import itertools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psycopg

DEBIAN = Path("/usr/lib/postgresql")  # it keeps them out of PATH
MISSING = "no PostgreSQL server is installed here: `make services` installs one, or TIDINGS_TEST_POSTGRES names one"


class Missing(Exception):
    """There is no server, and the tests need one."""


@contextmanager
def server() -> Iterator[str]:
    """Its URL. A server of our own keeps fsync on: what it answers is durable, as the port says."""
    given = os.environ.get("TIDINGS_TEST_POSTGRES")
    if given:
        yield given
        return
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="tidings-postgres-"))
    try:
        yield _start(binaries, folder)
    finally:
        _stop(binaries, folder)


NUMBERS = itertools.count()


@cache
def url() -> str:
    """Of one server for all tests of this process; it goes with the process."""
    stack = ExitStack()
    found = stack.enter_context(server())
    atexit.register(stack.close)
    return found


@asynccontextmanager
async def a_schema(name: str = "") -> AsyncIterator[str]:
    """The URL of an empty schema, for one test; gone after it."""
    name = name or f"test_{os.getpid()}_{next(NUMBERS)}"
    async with await psycopg.AsyncConnection.connect(url(), autocommit=True) as c:
        await c.execute(f'create schema "{name}"'.encode())
    try:
        yield in_schema(url(), name)
    finally:
        async with await psycopg.AsyncConnection.connect(url(), autocommit=True) as c:
            await c.execute("set synchronous_commit = off")
            await c.execute(f'drop schema "{name}" cascade'.encode())


def in_schema(base: str, name: str) -> str:
    return f"{base}{'&' if '?' in base else '?'}options={quote('-csearch_path=' + name)}"


def _binaries() -> Path:
    found = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    initdb = found[-1] if found else shutil.which("initdb")
    if initdb is None:
        raise Missing(MISSING)
    return Path(initdb).parent


def _start(binaries: Path, folder: Path) -> str:
    password = secrets.token_hex(16)
    (folder / "password").write_text(password)
    if os.geteuid() == 0:  # the server refuses to run as root
        for path in (folder, folder / "password"):
            shutil.chown(path, "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    _run(
        folder, binaries / "initdb", "--pgdata", folder / "data", "--username", "tidings", "--pwfile",
        folder / "password", "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C",
    )  # fmt: skip
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories="
    _run(
        folder, binaries / "pg_ctl", "start", "--wait", "--pgdata", folder / "data", "--log", folder / "log",
        "--options", options,
    )  # fmt: skip
    return f"postgresql://tidings:{password}@127.0.0.1:{port}/postgres"


def _run(folder: Path, *command: str | Path, check: bool = True) -> None:
    user = "postgres" if os.geteuid() == 0 else None
    with (folder / "out").open("ab") as out:
        ended = subprocess.run(
            command, user=user, cwd="/", stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False
        )
    if check and ended.returncode:
        raise Missing(f"{command[0]} failed: {(folder / 'out').read_text()[-1000:]}")


class Throwaway:
    """A server of a test's own, that it may kill: fsync is on."""

    def __enter__(self) -> Self:
        self._binaries = _binaries()
        self._folder = Path(tempfile.mkdtemp(prefix="tidings-postgres-"))
        self.url = _start(self._binaries, self._folder)
        return self

    def __exit__(self, *_: object) -> None:
        _stop(self._binaries, self._folder)

    def kill(self) -> None:
        """The server's main process and all its children, as `kill -9` does."""
        main = int((self._folder / "data" / "postmaster.pid").read_text().split()[0])
        children = [int(p) for p in Path(f"/proc/{main}/task/{main}/children").read_text().split()]
        for pid in (main, *children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in (main, *children):
            while Path(f"/proc/{pid}/stat").exists() and not _dead(pid):
                pass

    def start(self) -> None:
        (self._folder / "data" / "postmaster.pid").unlink(missing_ok=True)
        port = self.url.rpartition(":")[2].partition("/")[0]
        _run(
            self._folder, self._binaries / "pg_ctl", "start", "--wait", "--pgdata", self._folder / "data", "--log",
            self._folder / "log", "--options",
            f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories=",
        )  # fmt: skip


def _dead(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _stop(binaries: Path, folder: Path) -> None:
    _run(folder, binaries / "pg_ctl", "stop", "--pgdata", folder / "data", "--mode", "immediate", check=False)
    shutil.rmtree(folder, ignore_errors=True)
