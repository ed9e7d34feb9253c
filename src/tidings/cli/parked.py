"""`parked` and `redrive`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from tidings import ops
from tidings.cli.confirm import Yes, confirm
from tidings.cli.options import Look
from tidings.cli.show import Column, line, table, text
from tidings.cli.texts import moment, plural
from tidings.errors import SettingsError

Flag = Annotated[bool, Parameter(negative="")]


def parked(group: str | None = None, /, *, look: Look = Look()) -> int:
    """Keys that stand still because an event of theirs cannot be handled, and what waits behind it.

    Parameters
    ----------
    group:
        One group; else all.
    """
    look.ask(lambda engine: ops.parked(engine, group), _show)
    return 0


def _show(keys: Sequence[ops.ParkedKey]) -> None:
    rows = [
        (
            k.group,
            "(none)" if k.key is None else k.key,
            f"{k.first.entry.name} {k.first.entry.place}",
            str(len(k.events) - 1) if len(k.events) > 1 else "",
            str(k.first.attempts),
            moment(k.first.entry.time),
            text(k.first.error, "act"),
        )
        for k in keys
    ]
    columns: list[str | Column] = [
        "group",
        "key",
        "event",
        Column("behind", right=True),
        Column("attempts", right=True),
        "recorded",
    ]
    table([*columns, Column("error", fold=True)], rows, "nothing is parked")
    if keys:
        line()
        line(text(f"mend what failed, then: tidings redrive {keys[0].group} --all", "faint"))


def redrive(
    group: str,
    /,
    *,
    key: str | None = None,
    all: Flag = False,
    drop: Flag = False,
    yes: Yes = False,
    look: Look = Look(),
) -> int:
    """Let parked events run again, each key in its order; new arrivals of the key queue behind.

    Parameters
    ----------
    group:
        The group that parked them.
    key:
        Only of this key.
    all:
        Of every key.
    drop:
        Give them up instead: they never run, and what waits behind them goes on.
    """
    if (key is None) == (not all):
        raise SettingsError("which events: of one key, or of all?", hint="--key KEY, or --all")
    what = "all parked events" if key is None else f"the parked events of {key}"
    if drop and not confirm(f"Drop {what} of {group} for good", yes=yes):
        return 1
    look.ask(lambda engine: ops.redrive(engine, group, key, drop=drop), lambda done: _told(done, drop=drop))
    return 0


def _told(done: Sequence[ops.Redriven], *, drop: bool) -> None:
    events = sum(r.events for r in done)
    if not events:
        line("nothing is parked")
        return
    what = "dropped" if drop else "due now"
    line(f"{plural(events, 'event')} of {plural(len(done), 'key')} {what}")
    if not drop:
        line(text("the owner of their partition runs them: `tidings parked` shows what fails again", "faint"))
