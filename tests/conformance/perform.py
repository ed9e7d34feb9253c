"""The suite without a test framework: `python -m tests.conformance.perform ENGINE [WORD...]`, up to the first failure.

Only promises whose names have one of the words. The exit status is 1 where one was broken, and its name is printed.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.conformance.engines import opened
from tidings.testing.clock import SteeredClock
from tidings.testing.conformance import TESTS, Lack, bench, perform


async def keeps(engine: str, promise: str) -> None:
    clock = SteeredClock()
    with tempfile.TemporaryDirectory() as folder:
        async with opened(engine, Path(folder), clock) as (handle, opener):
            try:
                await perform(TESTS[promise], handle, opener=opener, clock=clock)
            except Lack:
                return


def broken(engine: str, words: Sequence[str]) -> str:
    """The first promise that is not kept, and how; "" if all are."""
    for promise in TESTS:
        if not words or any(word in promise for word in words):
            try:
                asyncio.run(keeps(engine, promise))
            except Exception as error:  # noqa: BLE001 -- whatever a broken engine raises
                return f"{promise}: {error!r}"
    return ""


if __name__ == "__main__":
    bench.GUARD = 2.0  # what hangs here was broken on purpose
    found = broken(sys.argv[1], sys.argv[2:])
    print(found)
    raise SystemExit(1 if found else 0)
