"""Opening a store to look at it: it must be there, and nothing of it is made or changed by the look."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tidings.engine import open_engine
from tidings.engine.port import Engine
from tidings.errors import SettingsError
from tidings.settings import Settings


def store_of(settings: Settings, system: str | None = None) -> str:
    """The URL of the store: as it is set, else the file named after the system. Raises SettingsError without either."""
    if settings.store is None and system is None:
        raise SettingsError(
            "which store?", hint="--store sqlite:///shop.db, TIDINGS_STORE, `store` in tidings.toml, or --target"
        )
    url = settings.url(system or "")
    if url.startswith("memory"):
        raise SettingsError(
            f"{url} lives in the process that made it, there is nothing to look at", hint="--store sqlite:///shop.db"
        )
    return url


@asynccontextmanager
async def look(url: str) -> AsyncIterator[Engine]:
    """The engine of a store that is there. Raises Unavailable where it is not, Refused where it is no store."""
    engine = await open_engine(url, create=False)
    try:
        yield engine
    finally:
        await engine.close()
