"""Telling a running system something by hand: a type by its name, its fields as JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import msgspec
from msgspec import Struct

from tidings.domain.client import Client
from tidings.domain.runtime import Runtime
from tidings.errors import Poison, SettingsError, did_you_mean
from tidings.event.message import Command, Event, Message, info_of
from tidings.settings import Settings
from tidings.system import System, open_runtime

NOTHING = msgspec.Raw(b"null")


class Published(Struct, frozen=True):
    """`position`: to read one's own write with; `correlation`: the id of its journey. `outcome`, `data`: of a call."""

    name: str
    position: str
    correlation: str
    outcome: str | None = None
    data: msgspec.Raw = NOTHING


class Publisher:
    """A program's types and a client of its store."""

    def __init__(self, runtime: Runtime) -> None:
        self._codecs, self._program = runtime.codecs, runtime.program
        self._client = Client(runtime)

    def is_command(self, name: str) -> bool:
        return issubclass(self._class(name), Command)

    def read(self, name: str, body: bytes) -> Message:
        """A message of the newest version of its type. Raises SettingsError for an unknown name, or a wrong body."""
        cls = self._class(name)
        try:
            found = msgspec.json.decode(body)
            fields = set(cls.__struct_encode_fields__)
            if isinstance(found, dict) and (strange := sorted(found.keys() - fields)):
                raise SettingsError(f"{name} has no field {strange[0]!r}", hint=did_you_mean(strange[0], fields))
            codec = self._codecs[name]
            made: Message = codec.decode(codec.version, body)
        except (Poison, ValueError, RecursionError) as error:
            words = str(error.__cause__ or error).splitlines()[0]
            raise SettingsError(f"this is no {name}: {words}", hint=example(cls)) from error
        return made

    def _class(self, name: str) -> type[Message]:
        if name not in self._codecs:
            raise SettingsError(
                f"{self._program.name!r} knows no message {name!r}", hint=did_you_mean(name, self._codecs)
            )
        cls: type[Message] = self._codecs[name].cls
        return cls

    async def publish(self, messages: Sequence[Message], id: str | None = None) -> Published:
        """Tell events, all of them or none; or ask one command, once for its `id`. Durable when it returns."""
        first = messages[0]
        if isinstance(first, Command):
            receipt = await self._client.send(first, id=id)
        else:
            receipt = await self._client.publish(*[m for m in messages if isinstance(m, Event)])
        return Published(info_of(type(first)).name, receipt.position, receipt.correlation_id)

    async def call(self, command: Message, within: timedelta, id: str | None = None) -> Published:
        """Ask, and wait for the outcome. Raises Rejected, Stale; SettingsError where it is no command."""
        name = info_of(type(command)).name
        if not isinstance(command, Command):
            raise SettingsError(f"{name} is an event: nobody answers it", hint="publish it without waiting")
        receipt = await self._client.call(command, id=id, within=within)
        outcome: Any = receipt.outcome
        if not isinstance(outcome, Message):
            return Published(name, receipt.position, receipt.correlation_id)
        data = msgspec.Raw(msgspec.json.encode(outcome))
        return Published(name, receipt.position, receipt.correlation_id, info_of(type(outcome)).name, data)


@asynccontextmanager
async def publisher(system: System, settings: Settings) -> AsyncIterator[Publisher]:
    """Opens the store, and makes it where it is not there yet: what is told first may be what a system begins with."""
    async with open_runtime(system.program, settings) as runtime:
        yield Publisher(runtime)


def example(message: type[Message]) -> str:
    """What its JSON looks like: `OrderPlaced is {"order_id": <str>, ...}`."""
    fields = msgspec.structs.fields(message)
    shown = [f'"{f.encode_name}": <{_type_name(f.type)}>{"" if f.required else " (may be left out)"}' for f in fields]
    return f"{info_of(message).name} is {{{', '.join(shown)}}}"


def _type_name(hint: object) -> str:
    text = hint.__name__ if isinstance(hint, type) else str(hint)
    return text.replace("typing.Annotated[", "").partition(", Key")[0].replace("typing.", "")
