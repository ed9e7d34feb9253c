"""An engine is one URL."""

from __future__ import annotations

import pytest

from tidings.engine import open_engine
from tidings.errors import SettingsError


@pytest.mark.anyio
async def test_memory_keeps_log_and_store_as_one_or_apart() -> None:
    one, apart = await open_engine("memory:"), await open_engine("memory:split")
    assert one.can.one_commit and one.outbox is None
    assert not apart.can.one_commit and apart.outbox is not None
    await one.close()
    await apart.close()


@pytest.mark.anyio
async def test_two_memories_know_nothing_of_each_other() -> None:
    one, two = await open_engine("memory:"), await open_engine("memory:")
    await one.store.claim("g", "m", {})
    assert one.store is not two.store
    await one.close()
    assert await two.log.topics() == []
    await two.close()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("sqlit:///shop.db", "sqlite"),
        ("memroy:", "memory"),
        ("kafka://localhost", "known: memory, postgresql, sqlite"),
        ("", "known"),
        ("shop.db", "a file is sqlite:///shop.db"),
        ("sqlite://shop.db", "sqlite:///shop.db"),
        ("sqlite:///", "sqlite:///shop.db"),
        ("sqlite:shop.db", "sqlite:///shop.db"),
        ("memory:apart", "memory:split"),
    ],
)
async def test_a_url_that_names_no_engine_is_refused_with_what_was_meant(url: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        await open_engine(url)
    assert hint in caught.value.hint
