"""Telling a running system something by hand: a type by its name, its fields as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
from msgspec import Struct

from tidings.domain.client import Client
from tidings.domain.runtime import Runtime
from tidings.errors import Poison, SettingsError, did_you_mean
from tidings.event.message import Command, Event, Message, info_of

Data = msgspec.Raw


class Published(Struct, frozen=True):
    """`position`: to read one's own write with; `correlation`: the id of its journey. `outcome`, `data`: of a call."""

    name: str
    position: str
    correlation: str
    outcome: str | None = None
    data: Data = Data(b"null")


def read_message(runtime: Runtime, name: str, body: str | bytes) -> Message:
    """A message of the newest version of its type. Raises SettingsError for an unknown name, or what is no such body."""
    codec = runtime.codecs.get(name)
    if codec is None:
        raise SettingsError(
            f"{runtime.program.name!r} knows no message {name!r}", hint=did_you_mean(name, runtime.codecs)
        )
    try:
        fields = set(codec.cls.__struct_encode_fields__)
        found = msgspec.json.decode(body)
        strange = sorted(set(found) - fields) if isinstance(found, dict) else []
        if strange:
            raise SettingsError(f"{name} has no field {strange[0]!r}", hint=did_you_mean(strange[0], fields))
        made: Message = codec.decode(codec.version, body.encode() if isinstance(body, str) else body)
    except (Poison, ValueError, RecursionError) as error:
        words = str(error.__cause__ or error).splitlines()[0]
        raise SettingsError(f"this is no {name}: {words}", hint=example(codec.cls)) from error
    return made


def example(message: type[Message]) -> str:
    """What its JSON looks like: `{"order_id": <str>, ...}`."""
    fields = msgspec.structs.fields(message)
    shown = [f'"{f.encode_name}": <{_type_name(f.type)}>{"" if f.required else " (may be left out)"}' for f in fields]
    return f"{info_of(message).name} is {{{', '.join(shown)}}}"


def _type_name(hint: object) -> str:
    text = hint.__name__ if isinstance(hint, type) else str(hint)
    return text.replace("typing.Annotated[", "").partition(", Key")[0].replace("typing.", "")


async def publish(client: Client, messages: Sequence[Message]) -> Published:
    """Tell events, all of them or none; or ask one command. Durable when it returns."""
    first = messages[0]
    if isinstance(first, Command):
        receipt = await client.send(first)
    else:
        receipt = await client.publish(*[m for m in messages if isinstance(m, Event)])
    return Published(info_of(type(first)).name, receipt.position, receipt.correlation_id)


async def call(client: Client, command: Command[Any, Any], within: timedelta, id: str | None = None) -> Published:
    """Ask, and wait for the outcome. Raises Rejected, Stale."""
    receipt = await client.call(command, id=id, within=within)
    outcome: Any = receipt.outcome
    name = info_of(type(outcome)).name if isinstance(outcome, Message) else None
    data = Data(msgspec.json.encode(outcome)) if name is not None else Data(b"null")
    return Published(info_of(type(command)).name, receipt.position, receipt.correlation_id, name, data)
