"""Streams: the events of one entity, in the order of their versions."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from tidings.engine.port import Engine
from tidings.engine.unit import Address
from tidings.errors import Refused, did_you_mean
from tidings.ops.entries import StreamEntry, stream_entry


class StreamKey(Struct, frozen=True):
    space: str
    key: str
    version: int


class StreamHistory(Struct, frozen=True):
    """`version`: the stream's own; `events` may end before it."""

    space: str
    key: str
    version: int
    events: Sequence[StreamEntry]


async def spaces(engine: Engine) -> Sequence[str]:
    return await engine.store.spaces()


async def streams(engine: Engine, space: str, after: str = "", limit: int = 1000) -> list[StreamKey]:
    """Streams of one space, by key. Raises Refused for a space that has none."""
    known = await engine.store.spaces()
    if space not in known:
        raise Refused(
            f"no streams in {space!r}", hint=did_you_mean(space, known) if known else "no aggregate was used yet"
        )
    return [StreamKey(space, key, version) for key, version in await engine.store.streams(space, after, limit)]


async def stream(engine: Engine, space: str, key: str, version: int | None = None) -> StreamHistory:
    """Its events, up to a version. Raises Refused where there is no such stream, Corrupt where one is damaged."""
    history = (await engine.store.load([Address(space, key)], to=version))[0]
    if not history.version:
        near = await streams(engine, space, limit=1000)
        raise Refused(f"no stream {key!r} in {space!r}", hint=did_you_mean(key, [s.key for s in near]))
    return StreamHistory(space, key, history.version, [stream_entry(e) for e in history.events])
