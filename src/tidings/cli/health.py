"""`/livez` and `/readyz`, for whoever starts and stops processes: a server of two questions, and nothing else.

livez    200 while the event loop turns; it asks nobody, so that a store that is down restarts no process
readyz   200 while every group here has its seat and the store answers, else 503 with what is missing

Bound to loopback unless an address says otherwise. Only GET; a request has at most `LARGEST` bytes, `PATIENCE` seconds.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from tidings.errors import SettingsError

Ready: TypeAlias = Callable[[], Awaitable[list[str]]]  # what is missing, in words
LARGEST = 8192
PATIENCE = 5.0  # seconds
AT_ONCE = 64  # connections
LOOPBACK = "127.0.0.1"
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


def read_address(text: str) -> tuple[str, int]:
    """`8080`, `:8080`, `host:8080`, `[::1]:8080`. Raises SettingsError for anything else."""
    host, _, port = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not port.isascii() or not port.isdigit() or int(port) > 65535 or any(c.isspace() or c == "/" for c in host):
        raise SettingsError(f"health = {text!r} is no address", hint="8080 (loopback), or host:port as 0.0.0.0:8080")
    return host or LOOPBACK, int(port)


@asynccontextmanager
async def serving(address: str, ready: Ready) -> AsyncIterator[tuple[str, int]]:
    """Answer until the end of the block; gives the real address (port 0 chooses one)."""
    host, port = read_address(address)
    answering = asyncio.Semaphore(AT_ONCE)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with answering, asyncio.timeout(PATIENCE):
                writer.write(await _answer(reader, ready))
                await writer.drain()
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked went away, or never finished asking
        finally:
            writer.close()

    try:
        server = await asyncio.start_server(serve, host, port, limit=LARGEST)
    except OSError as error:
        words = error.strerror or str(error)
        raise SettingsError(
            f"health = {address!r} cannot be listened on: {words}", hint="is the port in use?"
        ) from error
    async with server:
        yield server.sockets[0].getsockname()[:2]


async def _answer(reader: asyncio.StreamReader, ready: Ready) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    words = head.split(b"\r\n", 1)[0].split(b" ")
    if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
        return _response(400, {"error": "this is no HTTP request"})
    method, path = words[0], words[1].partition(b"?")[0]
    if path not in (b"/livez", b"/readyz"):
        return _response(404, {"error": "ask for /livez or /readyz"})
    if method != b"GET":
        return _response(405, {"error": "only GET"}, "Allow: GET\r\n")
    if path == b"/livez":
        return _response(200, {"live": True})
    try:
        missing = await ready()
    except Exception as error:  # noqa: BLE001 -- a store that cannot answer may say so in any way
        missing = [f"the store does not answer: {type(error).__name__}"]
    return _response(503 if missing else 200, {"ready": not missing, "missing": missing})


def _response(status: int, body: Mapping[str, Any], more: str = "") -> bytes:
    data = json.dumps(body).encode() + b"\n"
    head = (
        f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n"
        f"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n{more}Connection: close\r\n\r\n"
    )
    return head.encode() + data
