"""What commands share: which store and which program they look at, and how they answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from cyclopts import Group, Parameter

from tidings import ops, settings
from tidings.cli.show import print_json
from tidings.errors import SettingsError
from tidings.settings import Settings
from tidings.system import System

T = TypeVar("T")
WHERE = Group("Where to look", sort_key=10)


@Parameter(name="*", group=WHERE)
@dataclass(frozen=True)
class Look:
    """Every command that looks at a store takes these.

    Parameters
    ----------
    store:
        URL of the store, as sqlite:///shop.db; else TIDINGS_STORE, `store` in tidings.toml, or the file of --target.
    target:
        The system, as module:attribute; else TIDINGS_TARGET, or `target` in tidings.toml.
    json:
        Answer with one JSON document.
    """

    store: str | None = None
    target: str | None = None
    json: Annotated[bool, Parameter(negative="")] = False

    @property
    def settings(self) -> Settings:
        return settings.load({"store": self.store, "target": self.target})

    @property
    def system(self) -> System | None:
        """The program, where one was named. Raises SettingsError where it cannot be had."""
        target = self.settings.target
        return ops.load(target) if target is not None else None

    @property
    def wanted_system(self) -> System:
        system = self.system
        if system is None:
            raise SettingsError("which system?", hint="--target shop:shop, TIDINGS_TARGET, or `target` in tidings.toml")
        return system

    @property
    def url(self) -> str:
        """The store's; the program is only imported where nothing else says which."""
        merged = self.settings
        system = self.system if merged.store is None else None
        return ops.store_of(merged, system.name if system is not None else None)

    @asynccontextmanager
    async def engine(self) -> AsyncIterator[ops.Engine]:
        async with ops.look(self.url) as engine:
            yield engine

    @asynccontextmanager
    async def runtime(self) -> AsyncIterator[ops.Runtime]:
        """Store and program; both must be there."""
        system = self.wanted_system
        async with self.engine() as engine, ops.look_through(system.program, engine) as runtime:
            yield runtime

    @asynccontextmanager
    async def both(self) -> AsyncIterator[tuple[ops.Engine, ops.Runtime | None]]:
        """The store, and the program where one was named."""
        system = self.system
        async with AsyncExitStack() as stack:
            engine = await stack.enter_async_context(self.engine())
            runtime = None
            if system is not None:
                runtime = await stack.enter_async_context(ops.look_through(system.program, engine))
            yield engine, runtime

    def answer(self, value: T, show: Callable[[T], None]) -> T:
        """As JSON, or as a person reads it."""
        print_json(value) if self.json else show(value)
        return value

    def ask(self, question: Callable[[ops.Engine], Awaitable[T]], show: Callable[[T], None]) -> T:
        """Open the store, ask, close, answer."""

        async def go() -> T:
            async with self.engine() as engine:
                return await question(engine)

        return self.answer(run(go()), show)


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)
