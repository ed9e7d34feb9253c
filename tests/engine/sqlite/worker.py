"""What runs in the other process. `python -m tests.engine.sqlite.worker NAME ARGUMENT...`

Each function says where it is by a line on stdout, and waits for a line on stdin where the test must come first.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.engine.sqlite.kit import P0, commit, event, opened, tell
from tidings import signals
from tidings.engine.port import Topic
from tidings.engine.sqlite import Sqlite, waking
from tidings.engine.unit import Address, Committed, Event, Once, Step, Unit
from tidings.errors import TidingsError


def say(*words: object) -> None:
    print(*words, flush=True)


async def told() -> str:
    line: str = await asyncio.to_thread(sys.stdin.readline)
    return line.strip()


def stop() -> None:
    """Here and now, in the middle of what this thread does: a signal to the process might reach another one first."""
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


async def appends(path: str, mine: str, count: str, tasks: str) -> None:
    """Events one by one from several tasks; says the offset that each was acknowledged at."""
    async with opened(Path(path)) as engine:
        say("ready")
        await told()
        left = iter(range(int(count)))

        async def one() -> None:
            for n in left:
                e = Event("t", int(mine) % 4, b"k", os.urandom(16), b"h", f"{mine}:{n}".encode())
                say((await engine.log.send([e]))[0])

        await asyncio.gather(*(one() for _ in range(int(tasks))))
        say("done")


async def opens(path: str) -> None:
    say("ready")
    await told()
    async with opened(Path(path)) as engine:
        await engine.log.declare([Topic("t", 4)])
        await tell(engine, event(os.getpid()))
        say("done")


async def member(path: str, name: str, lease: str) -> None:
    """Joins and keeps its seat, until it is killed or stopped."""
    async with opened(Path(path), lease=float(lease), beat=float(lease) / 5) as engine:
        reader = await engine.log.join("g", ["t"], name)
        while True:
            change = await reader.change()
            say(len(change.gain), len(change.drain))


async def hears(path: str) -> None:
    """Says the data of what it hears, without ever looking by itself: the floor is an hour."""
    waking.FLOOR_WATCHED = 3600.0
    async with opened(Path(path)) as engine:
        reader = await engine.log.join("g", ["t"], "hearer")
        claims = await engine.store.claim("g", "hearer", dict.fromkeys((await reader.change()).gain, 0))
        reader.start(claims)
        say("ready")
        while True:
            for batch in await reader.fetch(500):
                for record in batch.records:
                    say((record.data or b"").decode())


async def zombie(path: str) -> None:
    """Decides, is stopped there, and commits when it goes on."""
    async with opened(Path(path)) as engine:
        claim = (await engine.store.claim("g", "zombie", {P0: 0}))[0]
        batch = (await engine.log.read({P0: 0}, 10))[0]
        unit = Unit("g", [Step(P0, claim.epoch, claim.held_gen, 0, batch.next)], events=[event(1000, 1)])
        say("decided")
        stop()
        say(type(await commit(engine, unit)).__name__)


async def stops_at(path: str, point: str) -> None:
    """Stops at a named point of its commit, on the thread that commits."""
    async with opened(Path(path)) as engine:
        with signals.listening(point, stop):
            say("committing")
            answer = await commit(engine, Unit(events=[event(1000, 1)]))
        say(type(answer).__name__)


async def commits(path: str) -> None:
    """One unit; it is told to which point it dies by TIDINGS_CRASH."""
    async with opened(Path(path)) as engine:
        say("committing")
        say(type(await commit(engine, whole_unit())).__name__)


def whole_unit() -> Unit:
    """A command's unit, with everything that makes it safe to hand in again."""
    stream = Address("order", "1")
    events = [Event("t", 2, b"1", n.to_bytes(16, "big"), b"head", b"%d" % n, stream, n) for n in (1, 2)]
    return Unit(expect={stream: 0}, events=events, receipt=True)


def marked_unit() -> Unit:
    return Unit(once=[Once("call", b"id", b"memo", (0,))], events=[event(7)])


async def marks(path: str) -> None:
    async with opened(Path(path)) as engine:
        say("committing")
        say(type(await commit(engine, marked_unit())).__name__)


async def sweeps(path: str) -> None:
    async with opened(Path(path)) as engine:
        say("sweeping")
        say(await engine.log.sweep(1000))


async def fills(path: str, room: str) -> None:
    """The file may grow by `room` bytes and no further; then, told so, as it likes."""
    async with opened(Path(path)) as engine:
        size = sum(file.stat().st_size for file in Path(path).parent.glob("*.db*") if file.is_file())
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + int(room), hard))
        done = await _fill(engine)
        await told()
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        await tell(engine, event(9999))
        say("went on after", done)


async def _fill(engine: Sqlite) -> int:
    for n in range(10_000):
        try:
            await tell(engine, event(n, size=20_000))
        except TidingsError as error:
            say(n, type(error).__name__, error.message.replace("\n", " "), "|", error.hint)
            return n
    raise AssertionError("it never became full")


async def reads_only(path: str, user: str) -> None:
    os.setgroups([])
    os.setgid(int(user))
    os.setuid(int(user))
    try:
        async with opened(Path(path)) as engine:
            say(type(await commit(engine, Unit(events=[event(1)]))).__name__)
    except TidingsError as error:
        say(type(error).__name__, error.message, "|", error.hint)


async def saturates(path: str, mine: str, count: str) -> None:
    """One commit after another, as fast as it can: when one ends, others wait already."""
    async with opened(Path(path)) as engine:
        say("ready")
        await told()
        left = iter(range(int(count)))

        async def one() -> None:
            for n in left:
                answer = await commit(engine, Unit(events=[event(n, int(mine), f"{mine}".encode())]))
                assert isinstance(answer, Committed)

        await asyncio.gather(*(one() for _ in range(20)))
        say("done")


async def says_now(path: str) -> None:
    async with opened(Path(path)) as engine:
        say(await engine.store.now())


FUNCTIONS: dict[str, Callable[..., Awaitable[None]]] = {
    f.__name__: f
    for f in (
        appends,
        opens,
        member,
        hears,
        zombie,
        stops_at,
        commits,
        marks,
        sweeps,
        fills,
        reads_only,
        saturates,
        says_now,
    )
}


if __name__ == "__main__":
    asyncio.run(FUNCTIONS[sys.argv[1]](*sys.argv[2:]))  # type: ignore[arg-type]
