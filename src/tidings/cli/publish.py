"""`publish`: events and commands by hand, or from a stream of lines."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any

from cyclopts import Parameter

from tidings import ops, settings
from tidings.cli.options import run
from tidings.cli.show import line, print_json, text, to_json, write
from tidings.cli.texts import body as one_line
from tidings.cli.texts import plural
from tidings.errors import SettingsError
from tidings.settings import Settings
from tidings.system import System

Flag = Annotated[bool, Parameter(negative="")]
TOLD_AT_ONCE, ASKED_AT_ONCE = 1000, 100  # events of one commit, commands in flight


def publish(
    target: str,
    type: str,
    body: str = "-",
    /,
    *,
    call: Flag = False,
    id: str | None = None,
    within: float = 30.0,
    store: str | None = None,
    json: Flag = False,
) -> int:
    """Tell an event or ask a command, by the name of its type.

    Parameters
    ----------
    target:
        The system, as module:attribute.
    type:
        The name of the event or command.
    body:
        Its fields as JSON; `-`: one JSON object a line from standard input.
    call:
        Wait for the outcome of a command, and show it.
    id:
        An idempotency key: the same again is done once, and gives the first outcome.
    within:
        Seconds to wait for an outcome.
    store:
        URL of the store, if not the one that is set, or the file named after the system.
    json:
        Answer with JSON: one document, or one a line for `-`.
    """
    merged = settings.load({"store": store})
    system = ops.load(target)
    if merged.url(system.name).startswith("memory"):
        raise SettingsError("a memory store ends with this command", hint="--store sqlite:///shop.db")
    if body == "-":
        if call or id is not None:
            raise SettingsError("--call and --id are for one command", hint="give its JSON as an argument")
        run(_lines(system, merged, type, json=json))
        return 0
    made = run(_one(system, merged, type, body, call=call, id=id, within=within))
    print_json(made) if json else _show(made)
    return 0


async def _one(
    system: System, merged: Settings, type: str, body: str, *, call: bool, id: str | None, within: float
) -> ops.Published:
    async with ops.publisher(system, merged) as publisher:
        message = publisher.read(type, body.encode("utf-8", "surrogateescape"))
        if id is not None and not publisher.is_command(type):
            raise SettingsError(f"{type} is an event: --id is for commands", hint="leave it out")
        if call:
            return await publisher.call(message, timedelta(seconds=within), id)
        return await publisher.publish([message], id)


def _show(made: ops.Published) -> None:
    if made.outcome is not None:
        line(text(made.outcome, "strong"), one_line(made.data))
    else:
        line("kept", text(made.name, "strong"))
    line(text(f"tidings journey {made.correlation}", "faint"))


async def _lines(system: System, merged: Settings, type: str, *, json: bool) -> None:
    """Batch by batch: what was kept before a wrong line stays, and is told."""
    kept = 0
    try:
        async with ops.publisher(system, merged) as publisher:
            asks = publisher.is_command(type)
            for batch in _batches(publisher, type, ASKED_AT_ONCE if asks else TOLD_AT_ONCE):
                if asks:
                    done = await asyncio.gather(*(publisher.publish([m]) for m in batch))
                else:
                    done = [await publisher.publish(batch)]
                kept += len(batch)
                if json:
                    for one in done:
                        write(to_json(one) + b"\n")
    finally:
        if not json:
            line(f"kept {plural(kept, 'message')} {type}")


def _batches(publisher: ops.Publisher, type: str, size: int) -> Iterator[list[Any]]:
    """Lines of standard input as messages. Raises SettingsError, with its number, for a line that is none."""
    batch: list[Any] = []
    for number, each in enumerate(sys.stdin.buffer, 1):
        if not each.strip():
            continue
        try:
            batch.append(publisher.read(type, each.strip()))
        except SettingsError as error:
            if batch:
                yield batch
            raise SettingsError(f"line {number}: {error.message}", hint=error.hint) from error
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
