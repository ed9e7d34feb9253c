"""What runs in the processes of a proof. Each writes its history line by line: before a call, and after its answer."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from pathlib import Path
from typing import Any

from proof.workload import POISON, Add, Added, Noise, Transfer, system
from tidings import Client, Receipt, seconds
from tidings.settings import load
from tidings.system import open_runtime, work

ACCOUNTS = 40
POISONED = 3  # accounts that sometimes get a transfer which nobody takes: their later events are parked
LEASE = 0.6


def settings(store: str) -> dict[str, Any]:
    return {"store": store, "lease": LEASE, "beat": 0.1, "fetch": 40, "drain": 5.0}


class History:
    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, what: str, ids: list[str]) -> None:
        os.write(self._file, json.dumps([what, ids]).encode() + b"\n")


async def worker(store: str) -> None:
    """All groups in one process, and retention at work beside them, until SIGTERM."""
    merged = load(settings(store), {})
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with open_runtime(system.program, merged) as runtime, work(runtime, merged, None, {}):
        while not await runtime.clock.wait(stop, 0.05):
            await runtime.engine.log.sweep(100)


async def publisher(store: str, name: str, seed: int, folder: Path) -> None:
    """Publishes and calls until it is killed. `name` is new for every process: its lanes begin at 1."""
    history, dice = History(folder / f"{name}.jsonl"), random.Random(seed)
    async with system.connect(**settings(store)) as client:
        number, sequences = 0, [0] * ACCOUNTS
        while True:
            batch = []
            for _ in range(dice.randint(1, 20)):
                number += 1
                batch.append(_transfer(name, number, sequences, dice))
            ids = [t.transfer_id for t in batch]
            history.write("invoke", ids)
            await client.publish(*batch)
            history.write("ok", ids)
            if number % 5 == 0:
                await client.publish(Noise(word=str(number)))
            if dice.random() < 0.3:
                await _call(client, history, f"{name}-{number}", dice)


def _transfer(name: str, number: int, sequences: list[int], dice: random.Random) -> Transfer:
    account = dice.randrange(ACCOUNTS)
    sequences[account] += 1
    poison = account < POISONED and dice.random() < 0.02
    other = (account + 1 + dice.randrange(ACCOUNTS - 1)) % ACCOUNTS
    return Transfer(
        source=f"a{account}",
        target=f"a{other}",
        amount=POISON if poison else dice.randint(1, 9),
        transfer_id=f"{name}-{number}",
        lane=f"{name}/a{account}",
        sequence=sequences[account],
    )


async def _call(client: Client, history: History, call: str, dice: random.Random) -> None:
    """A command asked twice under one id, as a caller does who did not hear the answer."""
    history.write("invoke-call", [call])
    command = Add(counter=f"c{dice.randrange(5)}", call=call)
    try:
        first, again = await asyncio.gather(_ask(client, command), _ask(client, command))
    except Exception as error:  # noqa: BLE001 -- no worker lives right now: the outcome is unknown, not wrong
        history.write(f"info-call {type(error).__name__}", [call])
        return
    history.write("ok-call" if first.outcome == again.outcome else "differ-call", [call])


async def _ask(client: Client, command: Add) -> Receipt[Added]:
    return await client.call(command, id=command.call, within=seconds(5))


async def finish(store: str, within: float) -> None:
    """After the last fault: one worker, until nothing is left to do."""
    async with system.running(**settings(store)) as client:
        await client.wait_idle(within=seconds(within))
