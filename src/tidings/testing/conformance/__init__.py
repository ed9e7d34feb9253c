"""What every engine promises, as tests that need nothing but the port: plain `async def` and `assert`.

    from tidings.testing.conformance import TESTS, Lack, perform

    for name, test in TESTS.items():
        await perform(test, engine, opener=another_handle_on_the_same_data, clock=clock)

A test takes what its parameters name: `e`, a fresh engine; `other`, a second handle on the same data, as another
process has; `opener`, which opens more of them; `clock`, the `SteeredClock` of `tidings.testing.clock` that the engine
was opened with, whose time passes when the test says so. An engine that is not shared gives the same handle again. In
the split arrangement the caller keeps a relay going on lane 0 of one.

A test raises `Lack` where the engine's Capabilities say that it cannot do this, and for no other reason: count them.
A name with `h17` tests the scenario of that number. The files are the areas of the port.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from types import ModuleType

from tidings.engine.port import Engine
from tidings.testing.clock import SteeredClock
from tidings.testing.conformance import (
    apart,
    closing,
    fences,
    held,
    inside,
    once,
    operators,
    people,
    reading,
    retention,
    rows,
    seats,
    states,
    streams,
    timers,
    topics,
    waiting,
)
from tidings.testing.conformance.bench import Lack, Opener

Test = Callable[..., Awaitable[None]]
AREAS: tuple[ModuleType, ...] = (
    topics, reading, retention, seats, fences, states, once, inside, held, timers, streams, rows, waiting, people,
    operators, apart, closing,
)  # fmt: skip
TESTS: dict[str, Test] = {
    name: test for area in AREAS for name, test in vars(area).items() if name.startswith("test_")
}  # fmt: skip


async def perform(test: Test, engine: Engine, *, opener: Opener, clock: SteeredClock) -> None:
    """Run one test. Closes nothing: whoever opened a handle closes it."""
    takes = inspect.signature(test).parameters
    given: dict[str, object] = {"e": engine, "opener": opener, "clock": clock}
    if "other" in takes:
        given["other"] = await opener()
    await test(**{name: given[name] for name in takes})


__all__ = ["AREAS", "TESTS", "Lack", "Opener", "Test", "perform"]
