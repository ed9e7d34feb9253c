"""Engines: where events and states are kept. `port.py` is what each of them brings, `unit.py` what travels.

memory:                     in this process, gone with it
memory:split                the same with log and store apart, as a broker and a database are
sqlite:///shop.db           one file, beside the working directory
sqlite:////var/lib/shop.db  one file, by its absolute path
postgresql://host/shop      a database of a PostgreSQL server (needs `tidings[postgres]`)
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from tidings.clock import Clock, SystemClock
from tidings.engine.port import Engine
from tidings.errors import SettingsError, did_you_mean

SCHEMES = ("memory", "sqlite", "postgresql")
FORM = "a file is sqlite:///shop.db, or sqlite:////var/lib/shop.db"


async def open_engine(url: str, *, clock: Clock | None = None, **options: Any) -> Engine:
    """The engine behind a URL. `options` are the engine's own; without a clock it uses the one that suits it best.

    Raises SettingsError for a URL that names no engine, Unavailable where the file cannot be opened.
    """
    scheme, _, rest = url.partition(":")
    if scheme == "memory" and rest in ("", "split"):
        from tidings.engine.memory import Memory

        return Memory(clock or SystemClock(), split=rest == "split", **options)
    if scheme == "sqlite" and rest.startswith("///") and rest != "///":
        from tidings.engine.sqlite import Sqlite

        return await Sqlite.open(rest.removeprefix("///"), clock=clock, **options)
    if scheme in ("postgresql", "postgres"):
        if find_spec("psycopg") is None:
            raise SettingsError("PostgreSQL needs its driver", hint="pip install 'tidings[postgres]'")
        from tidings.engine.postgres import Postgres

        return await Postgres.open(url, clock=clock, **options)
    if scheme == "sqlite":
        raise SettingsError(f"{shown(url)!r} names no file", hint=FORM)
    if scheme == "memory":
        raise SettingsError(f"{url!r}: there is no such arrangement", hint="memory: or memory:split")
    raise SettingsError(f"no engine for {shown(url)!r}", hint=f"{did_you_mean(scheme, SCHEMES)}; {FORM}")


def shown(url: str) -> str:
    """A URL without its password."""
    scheme, found, rest = url.partition("://")
    if not found or "@" not in rest:
        return url
    return f"{scheme}://***@{rest.rpartition('@')[2]}"
