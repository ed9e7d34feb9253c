"""The suite that `tidings.testing.conformance` ships, over every engine of this repository."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.engines import LACKS, opened
from tidings.testing.clock import SteeredClock
from tidings.testing.conformance import AREAS, TESTS, Lack, perform

ENGINES = [pytest.param(name, marks=[pytest.mark.server] * (name == "postgres")) for name in LACKS]


@pytest.mark.anyio
@pytest.mark.parametrize("promise", TESTS)
@pytest.mark.parametrize("engine", ENGINES)
async def test_an_engine_keeps(
    engine: str, promise: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    record_property("conformance", engine)
    clock = SteeredClock()
    async with opened(engine, tmp_path, clock) as (handle, opener):
        try:
            await perform(TESTS[promise], handle, opener=opener, clock=clock)
        except Lack as lack:
            if str(lack) not in LACKS[engine]:
                pytest.fail(f"{engine} does not declare that it lacks {lack}")
            pytest.skip(f"the engine lacks {lack}")


def test_no_promise_hides_another() -> None:
    names = [name for area in AREAS for name in vars(area) if name.startswith("test_")]
    assert len(names) == len(set(names)) == len(TESTS)
