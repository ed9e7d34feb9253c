"""How long an engine keeps what it keeps for people and for late repeats, before `Store.purge` takes it away."""

from __future__ import annotations

from msgspec import Struct

DAY = 86400.0


class Ages(Struct, frozen=True):
    """Seconds. `once` bounds how late a repeated command is still recognised: longer than retries, parking and the
    retention of topics together. Streams, rows, held events and operators' acts have no age."""

    once: float = 30 * DAY
    notes: float = 30 * DAY
    handled: float = 30 * DAY  # lines of the ledger
    snapshots: float = 30 * DAY
    receipts: float = 1 * DAY  # where a relay sent an event (split arrangement)
