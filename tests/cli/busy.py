"""Services that take their time: `tests.cli.busy:busy`.

`letters` writes one line a letter to the file LETTERS, at least once. `stuck` never ends a letter to "nobody".
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading

from tidings import Event, Key, Row, Service, System, Topic, signals

mail = Topic("mail", partitions=4, retention=None)


class Letter(Event, topic=mail):
    to: Key[str]
    number: int


letters = Service("letters", guarantee="at-least-once")


@letters.on
async def send(event: Letter) -> None:
    file = os.open(os.environ["LETTERS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, f"{event.number}\n".encode())
    os.close(file)


class Box(Row, table="boxes"):
    to: Key[str]
    letters: int = 0


boxes = Service("boxes")


@boxes.on
def count(event: Letter, box: Box) -> Box:
    box.letters += 1
    return box


stuck = Service("stuck")


@stuck.on
async def never_ends(event: Letter) -> None:
    if event.to == "nobody":
        print("in hand", file=sys.stderr, flush=True)
        await asyncio.Event().wait()


def stop() -> None:
    """As a debugger would, for good: the kernel may stop this thread a moment later than the others."""
    os.kill(os.getpid(), signal.SIGSTOP)
    threading.Event().wait()


if "STOP_AT" in os.environ:
    listening = signals.listening(os.environ["STOP_AT"], stop)  # it ends when nobody has it any more
    listening.__enter__()

busy = System("busy", [letters, boxes, stuck])
