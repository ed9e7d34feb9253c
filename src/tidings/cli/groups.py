"""`groups`, `groups remove`, `pause`, `resume`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from cyclopts import App, Parameter
from rich.text import Text

from tidings import ops
from tidings.cli.confirm import Yes, confirm
from tidings.cli.options import Look
from tidings.cli.show import Column, line, pairs, table, text
from tidings.cli.texts import ago, count, moment, now, plural

groups = App(name="groups", help="Who handles what, how far each group is, and what is wrong with it.")


@groups.default
def show(
    group: str | None = None, /, *, check: Annotated[bool, Parameter(negative="")] = False, look: Look = Look()
) -> int:
    """Who handles what, how far each group is, and what is wrong with it.

    Parameters
    ----------
    group:
        One group, with its members and partitions; else all of them.
    check:
        Exit with 1 if somebody has to act.
    """
    found = look.ask(lambda engine: ops.groups(engine, group), lambda states: _show(states, one=group is not None))
    return 1 if check and any(g.status == "act" for g in found) else 0


def _show(states: Sequence[ops.GroupState], *, one: bool) -> None:
    if one:
        _one(states[0])
        return
    rows = [
        (
            text(g.group, "strong"),
            text(g.state, g.status),
            count(g.lag),
            count(g.held) if g.held else "",
            text(count(g.parked), "look") if g.parked else "",
            f"{sum(m.alive for m in g.members)}",
            ago(g.waiting_since, now()),
        )
        for g in states
    ]
    columns: list[str | Column] = [
        "group",
        "state",
        *(Column(n, right=True) for n in ("lag", "held", "parked", "members")),
    ]
    table([*columns, Column("waits for", right=True)], rows, "no group has begun yet")
    _reasons(states)


def _reasons(states: Sequence[ops.GroupState]) -> None:
    ill = [g for g in states if g.status == "act" or (g.status == "look" and len(states) == 1)]
    if ill:
        line()
    for g in ill:
        for reason in g.reasons:
            line(text(f"{g.group}:", g.status), reason)


def _one(g: ops.GroupState) -> None:
    pairs(
        {
            "group": text(g.group, "strong"),
            "state": text(g.state, g.status),
            "lag": count(g.lag),
            "held": count(g.held),
            "parked": count(g.parked),
            "oldest held": moment(g.oldest),
            "waits since": moment(g.waiting_since),
            "so far": ", ".join(f"{name} {count(n)}" for name, n in sorted(g.counts.items())) or "nothing",
        }
    )
    _reasons([g])
    line()
    members = [
        (
            m.name,
            text("dead", "look")
            if not m.alive
            else text("alive" if m.partitions else "idle", "" if m.partitions else "faint"),
            str(m.partitions),
            ago(m.beat, now()),
        )
        for m in g.members
    ]
    columns: list[str | Column] = ["member", "", Column("partitions", right=True), Column("last beat", right=True)]
    table(columns, members, "no member has a seat")
    line()
    parts = [
        (
            f"{p.topic}/{p.partition}",
            count(p.position),
            count(p.end),
            text(count(p.lag), "act" if p.lag and not p.alive and not p.paused else ""),
            count(p.held) if p.held else "",
            text(count(p.parked), "look") if p.parked else "",
            _owner(p),
            text(p.paused or "", "look" if (p.paused or "").startswith("operator") else "act"),
        )
        for p in g.partitions
    ]
    numbers = [Column(n, right=True) for n in ("position", "end", "lag", "held", "parked")]
    table(["partition", *numbers, "owner", Column("paused", fold=True)], parts)


def _owner(p: ops.PartitionState) -> Text:
    if not p.owner:
        return text("nobody", "faint")
    return text(p.owner) if p.alive else text(f"{p.owner} (dead)", "look")


# ---- acting on them ------------------------------------------------------------------------------------------------


@groups.command
def remove(group: str, /, *, yes: Yes = False, look: Look = Look()) -> int:
    """End a group's registration: its progress, held events, timers and counters go.

    Parameters
    ----------
    group:
        A group that no worker runs any more.
    """
    if not confirm(f"Remove group {group}: what it holds is lost", yes=yes):
        return 1
    look.ask(
        lambda engine: ops.remove(engine, group),
        lambda partitions: line(f"removed {group}, which had {plural(partitions, 'partition')}"),
    )
    return 0


def pause(group: str, /, *, reason: str = "", look: Look = Look()) -> int:
    """Stop a group where it stands, until `resume`; others go on.

    Parameters
    ----------
    group:
        The group.
    reason:
        For whoever looks next.
    """
    look.ask(
        lambda engine: ops.pause(engine, group, reason), lambda parts: _told(parts, f"paused {group}", "it was paused")
    )
    return 0


def resume(group: str, /, *, accept_loss: Annotated[bool, Parameter(negative="")] = False, look: Look = Look()) -> int:
    """Let a paused group go on.

    Parameters
    ----------
    group:
        The group.
    accept_loss:
        Go on behind events that retention took before the group had handled them.
    """
    look.ask(
        lambda engine: ops.resume(engine, group, accept_loss=accept_loss),
        lambda parts: _told(parts, f"resumed {group}", "it was not paused"),
    )
    return 0


def _told(parts: Sequence[ops.Partition], done: str, already: str) -> None:
    line(f"{done} on {plural(len(parts), 'partition')}" if parts else f"nothing to do: {already}")
