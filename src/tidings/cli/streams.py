"""`streams`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from tidings import ops
from tidings.cli.options import Look
from tidings.cli.show import Column, line, table, text
from tidings.cli.texts import body, moment
from tidings.errors import SettingsError


def streams(
    space: str | None = None,
    key: str | None = None,
    /,
    *,
    version: int | None = None,
    after: str = "",
    limit: Annotated[int, Parameter(name=["--limit", "-n"])] = 1000,
    look: Look = Look(),
) -> int:
    """The history of one entity: every event of its stream.

    Parameters
    ----------
    space:
        The aggregate's space, as its class is called; none: which spaces there are.
    key:
        The entity; none: which streams the space has.
    version:
        Only up to this version.
    after:
        Streams whose key comes after this one.
    limit:
        So many streams at most.
    """
    if version is not None and version < 0:
        raise SettingsError(f"--version {version}: versions count from 1", hint="0 is before the first event")
    if space is None:
        look.ask(ops.spaces, _spaces)
    elif key is None:
        look.ask(lambda engine: ops.streams(engine, space, after, limit), _streams)
    else:
        look.ask(lambda engine: ops.stream(engine, space, key, version), _history)
    return 0


def _spaces(found: Sequence[str]) -> None:
    table(["space"], [[name] for name in found], "no aggregate was used yet")


def _streams(found: Sequence[ops.StreamKey]) -> None:
    table(["key", Column("version", right=True)], [(s.key, str(s.version)) for s in found])


def _history(found: ops.StreamHistory) -> None:
    shown = found.events[-1].version if found.events else 0
    until = "" if shown == found.version else f", shown up to {shown}"
    line(text(f"{found.space} {found.key}", "strong"), text(f"at version {found.version}{until}", "faint"))
    line()
    rows = [
        (
            str(e.version),
            text(moment(e.time), "faint"),
            text(e.name, "strong") if not e.unreadable else text(e.unreadable, "act"),
            body(e.data),
            text(e.source, "faint"),
            text(e.id, "faint"),
        )
        for e in found.events
    ]
    table([Column("version", right=True), "time", "event", Column("data", fold=True), "source", "id"], rows)
