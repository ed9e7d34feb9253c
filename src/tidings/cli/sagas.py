"""`sagas`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.text import Text

from tidings import ops
from tidings.cli.options import Look
from tidings.cli.show import Column, table, text
from tidings.cli.texts import ago, now

COLOURS = {"stuck": "act", "failed": "look", "undoing": "look"}


def sagas(
    name: str | None = None,
    /,
    *,
    status: Literal["running", "undoing", "completed", "failed", "stuck"] | None = None,
    limit: Annotated[int, Parameter(name=["--limit", "-n"])] = 1000,
    look: Look = Look(),
) -> int:
    """Sagas: which step each is at, and why it failed or is stuck.

    Parameters
    ----------
    name:
        One saga, by its class (or service.class); else all.
    status:
        Only those that are running, undoing, completed, failed, or stuck (a person has to look).
    limit:
        So many at most.
    """
    look.ask(lambda engine: ops.sagas(engine, name, status, limit), _show)
    return 0


def _show(found: Sequence[ops.SagaState]) -> None:
    rows = [
        (
            s.saga,
            s.key,
            text(s.status, COLOURS.get(s.status, "")),
            told(s),
            ago(s.began, now()),
            ago(s.moved, now()),
        )
        for s in found
    ]
    columns: list[str | Column] = ["saga", "key", "status", Column("steps", fold=True)]
    table([*columns, Column("began", right=True), Column("moved", right=True)], rows, "no saga is there")


def told(s: ops.SagaState) -> Text:
    """Its steps, and why it failed or is stuck."""
    steps = ", ".join(f"{name} {phase}" for name, phase in s.steps.items())
    return text(steps).append(f": {text(s.reason).plain}" if s.reason else "", "dim")
