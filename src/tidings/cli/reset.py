"""`reset`."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from tidings import ops
from tidings.cli.confirm import Yes, confirm
from tidings.cli.options import Look, run
from tidings.cli.show import Column, line, table, text
from tidings.cli.texts import count, plural


def reset(
    group: str,
    /,
    *,
    to: str,
    effects: Literal["muted", "again"] | None = None,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    yes: Yes = False,
    look: Look = Look(),
) -> int:
    """Move a group to another place in the log. Its members notice, and go on from there.

    A projection resets only to its start, and its tables are emptied in the same commit. For any other group say what
    happens to what it told and asked for these events already.

    Parameters
    ----------
    group:
        A group of the program (see --target).
    to:
        start, end, an offset, a moment (2026-03-01T12:00Z), or how long ago (90s, 15m, 2h, 7d).
    effects:
        again: everything is told and asked once more; muted: only rows are written.
    dry_run:
        Say what would happen, and do nothing.
    """
    place = ops.read_place(to)

    async def go(*, dry: bool) -> ops.Reset:
        async with look.runtime() as runtime:
            return await ops.reset(runtime, group, place, effects, dry_run=dry)

    planned = run(go(dry=True))
    if dry_run:
        look.answer(planned, _show)
        return 0
    if not confirm(f"Reset {group}: {_sentence(planned)}", yes=yes):
        return 1
    look.answer(run(go(dry=False)), _show)
    return 0


def _sentence(r: ops.Reset) -> str:
    what = f"{plural(r.again, 'event')} heard again" if r.again >= 0 else f"{plural(-r.again, 'event')} skipped"
    parts = [what, *([f"tables {', '.join(r.cleared)} emptied"] if r.cleared else [])]
    parts += [f"{plural(r.held, 'held event')} forgotten"] if r.held else []
    if not r.projection and r.again > 0:
        parts.append("effects muted" if r.muted else "effects happen again")
    return ", ".join(parts)


def _show(r: ops.Reset) -> None:
    line(text("done: " if r.done else "would do: ", "" if r.done else "look") + _sentence(r))
    line()
    moved = [m for m in r.partitions if m.at != m.to]
    rows = [(f"{m.topic}/{m.partition}", count(m.at), count(m.to), count(m.lag_after - m.lag)) for m in moved]
    table(["partition", *(Column(n, right=True) for n in ("from", "to", "events again"))], rows, "no partition moves")
