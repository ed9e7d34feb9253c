"""Settings: argument > environment (`TIDINGS_...`) > `tidings.toml` > default. Checked once, at the start.

What is unset stays None until all sources are merged, so that a default never hides what another source says. An
unknown name is an error, wherever it stands, with the nearest known one.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from tidings.delivery.limits import Limits
from tidings.engine import shown
from tidings.errors import SettingsError, did_you_mean

PREFIX = "TIDINGS_"
FILE = "tidings.toml"
NOT_SETTINGS = frozenset({"TIDINGS_CRASH", "TIDINGS_HISTORY", "TIDINGS_CONFIG"})  # read where they are used
FOREIGN = "TIDINGS_TEST_"  # addresses of servers for tests


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every setting, with its default. Durations are seconds, sizes bytes.

    `store`: where state and, unless `log` says otherwise, the log are kept; None: one SQLite file named after the
    system.
    `synchronous`: `full` survives power loss, `normal` may lose the last commits then, `off` is for tests.
    `lease`: after how long a frozen member's partitions are taken over; `beat`: how often a member says that it lives.
    `fetch`, `fetch_bytes`: the size of a batch; `in_flight`, `threads`: handlers at once; `slow`: when an unfinished
    event is held; `held`, `held_bytes`: held events of a partition before it stops; `drain`: how long a stop waits.
    `target`: the system that the command line is about, `module:attribute`; `health`: where `tidings run` answers
    `/livez` and `/readyz`, `host:port`.
    """

    store: str | None = None
    log: str | None = None
    synchronous: Literal["full", "normal", "off"] = "full"
    lease: float = 5.0
    beat: float = 1.0
    fetch: int = 500
    fetch_bytes: int = 8 << 20
    in_flight: int = 64
    threads: int = 8
    slow: float = 1.0
    held: int = 10_000
    held_bytes: int = 64 << 20
    drain: float = 10.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    target: str | None = None
    health: str | None = None

    def limits(self) -> Limits:
        return Limits(
            fetch=self.fetch,
            fetch_bytes=self.fetch_bytes,
            in_flight=self.in_flight,
            slow=self.slow,
            held=self.held,
            held_bytes=self.held_bytes,
            beat=self.beat,
            drain=self.drain / 2,
        )

    def url(self, system: str) -> str:
        """Where the data lies: the log beside the store is a later gear's."""
        if self.log is not None and self.log != self.store:
            raise SettingsError(
                f"log {shown(self.log)!r} apart from the store is not available on this gear",
                hint="leave `log` out: the store holds both",
            )
        return self.store if self.store is not None else f"sqlite:///{system}.db"

    def shown_url(self, system: str) -> str:
        """The same, for people: without a password."""
        return shown(self.url(system))


class Setting(msgspec.Struct, frozen=True):
    """One setting as it was decided. `source`: the file's name, the environment, the arguments, or the default."""

    name: str
    value: Any
    source: str


def load(arguments: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Merge the sources. Raises SettingsError, naming the setting and the source that is wrong."""
    return Settings(**{name: value for name, (value, _) in _merged(arguments, environment).items()})


def explain(arguments: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None) -> list[Setting]:
    """Every setting with where its value came from; passwords in URLs are not shown."""
    merged = _merged(arguments, environment)
    found = []
    for field in msgspec.structs.fields(Settings):
        value, source = merged.get(field.name, (field.default, "the default"))
        found.append(Setting(field.name, shown(value) if isinstance(value, str) else value, source))
    return found


def _merged(arguments: Mapping[str, Any] | None, environment: Mapping[str, str] | None) -> dict[str, tuple[Any, str]]:
    """(value, source) of whatever is set; the strongest source wins."""
    env = os.environ if environment is None else environment
    merged: dict[str, tuple[Any, str]] = {}
    for source, values in (
        (env.get("TIDINGS_CONFIG", FILE), _from_file(env)),
        ("the environment", _from_environment(env)),
        ("the arguments", {k: v for k, v in (arguments or {}).items() if v is not None}),
    ):
        merged |= {name: (value, source) for name, value in _checked(source, values).items()}
    return merged


def _from_file(env: Mapping[str, str]) -> Mapping[str, Any]:
    path = Path(env.get("TIDINGS_CONFIG", FILE))
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if "TIDINGS_CONFIG" in env:
            raise SettingsError(f"there is no {path}", hint="TIDINGS_CONFIG names a TOML file") from None
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(
            f"{path} cannot be read: {error}", hint='it is TOML: `store = "sqlite:///shop.db"`'
        ) from error
    return found


def _from_environment(env: Mapping[str, str]) -> dict[str, Any]:
    return {
        name.removeprefix(PREFIX).lower(): value
        for name, value in env.items()
        if name.startswith(PREFIX) and name not in NOT_SETTINGS and not name.startswith(FOREIGN)
    }


def _checked(source: str, values: Mapping[str, Any]) -> dict[str, Any]:
    fields = {f.name: f.type for f in msgspec.structs.fields(Settings)}
    found = {}
    for name, value in values.items():
        if name not in fields:
            raise SettingsError(f"unknown setting {name!r} in {source}", hint=did_you_mean(name, fields))
        try:
            found[name] = msgspec.convert(value, fields[name], strict=not isinstance(value, str))
        except msgspec.ValidationError as error:
            raise SettingsError(f"{name} = {value!r} in {source}: {error}", hint=_expected(name)) from None
        if isinstance(found[name], (int, float)) and not 0 < found[name] < float("inf"):
            raise SettingsError(f"{name} = {value!r} in {source} must be more than 0, and finite", hint=_expected(name))
    return found


def _expected(name: str) -> str:
    field = next(f for f in msgspec.structs.fields(Settings) if f.name == name)
    if get_origin(field.type) is Literal:
        return f"one of {', '.join(get_args(field.type))}; the default is {field.default!r}"
    unit = {float: " (seconds)", int: " (a number)"}.get(type(field.default), "")
    return f"the default is {field.default!r}{unit}"
