"""`graph`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from tidings import ops, settings
from tidings.cli.show import Column, print_json, table, text, write
from tidings.errors import SettingsError

Flag = Annotated[bool, Parameter(negative="")]


def graph(target: str | None = None, /, *, mermaid: Flag = False, json: Flag = False) -> int:
    """Who tells whom what, read from the signatures of the program; nothing is opened or run.

    Parameters
    ----------
    target:
        The system, as module:attribute; else TIDINGS_TARGET, or `target` in tidings.toml.
    mermaid:
        As a Mermaid flowchart, to stand in any page that draws it.
    json:
        The edges as JSON.
    """
    named = target or settings.load().target
    if named is None:
        raise SettingsError("which system?", hint="tidings graph shop:shop")
    made = ops.load(named).graph()
    if json:
        print_json({"nodes": made.nodes, "edges": made.edges})
    elif mermaid:
        write(f"{made.mermaid()}\n".encode())
    else:
        rows = [
            (
                text(source, "strong"),
                "tells" if kind == "event" else "asks",
                text(target, "strong"),
                ", ".join(messages),
            )
            for (source, target, kind), messages in made.grouped().items()
        ]
        table(["who", "", "whom", Column("what", fold=True)], rows, "nobody tells anybody anything")
    return 0
