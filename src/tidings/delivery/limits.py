"""How much a member takes on at once. Defaults suit a small process; settings can change each."""

from __future__ import annotations

from msgspec import Struct


class Limits(Struct, frozen=True):
    fetch: int = 500  # events a batch
    fetch_bytes: int = 8 << 20
    in_flight: int = 64  # awaited handlers at once
    slow: float = 1.0  # seconds after which an unfinished event is held, so that progress passes it
    held: int = 10_000  # held events a partition; beyond it the partition stops until some are done
    held_bytes: int = 64 << 20
    beat: float = 1.0  # seconds between two looks at the truth about claims
    drain: float = 5.0  # seconds that a running handler is waited for when its partition goes
    suspect: int = 3  # claims without progress after which a partition is handled event by event
