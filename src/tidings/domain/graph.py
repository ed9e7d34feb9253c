"""Who tells whom what, read from the signatures alone: as data, as Mermaid, as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tidings.event.message import Event, Message

EdgeKind: TypeAlias = Literal["event", "command"]
OUTSIDE = "outside"


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """`source` tells or asks `target`; both are names of services or projections, or "outside"."""

    source: str
    message: str
    target: str
    kind: EdgeKind


class Graph:
    """The edges, sorted. `str()` is Mermaid, so a graph can be printed into any page that draws it."""

    def __init__(self, edges: Iterable[Edge]) -> None:
        self.edges = tuple(sorted(set(edges)))

    @property
    def nodes(self) -> tuple[str, ...]:
        return tuple(sorted({name for edge in self.edges for name in (edge.source, edge.target)}))

    def grouped(self) -> dict[tuple[str, str, EdgeKind], list[str]]:
        """(source, target, kind) to the messages between them."""
        found: dict[tuple[str, str, EdgeKind], list[str]] = {}
        for edge in self.edges:
            found.setdefault((edge.source, edge.target, edge.kind), []).append(edge.message)
        return found

    def mermaid(self) -> str:
        """Events as full lines, commands dotted."""
        ids = dict(zip(self.nodes, _ids(self.nodes), strict=True))
        lines = ["flowchart LR", *(f"  {ids[name]}[{name}]" for name in self.nodes)]
        for (source, target, kind), messages in self.grouped().items():
            arrow = "-->" if kind == "event" else "-.->"
            lines.append(f"  {ids[source]} {arrow}|{'<br/>'.join(messages)}| {ids[target]}")
        return "\n".join(lines)

    def text(self) -> str:
        """One line an arrow, for a terminal."""
        lines = []
        for (source, target, kind), messages in self.grouped().items():
            verb = "tells" if kind == "event" else "asks"
            lines.append(f"{source} {verb} {target}: {', '.join(messages)}")
        return "\n".join(lines)

    __str__ = mermaid


def _ids(names: Iterable[str]) -> Iterator[str]:
    """Mermaid wants plain names; two that become the same get a number, and its own words a mark."""
    seen: set[str] = set()
    for name in names:
        plain = name.replace(".", "_").replace("-", "_")
        if plain.lower() in {"end", "subgraph", "graph", "flowchart", "class", "style", "default"}:
            plain += "_"
        free, number = plain, 2
        while free in seen:
            free, number = f"{plain}_{number}", number + 1
        seen.add(free)
        yield free


def edges_of(
    told: Iterable[tuple[str, type[Message]]],
    handlers: Mapping[type[Message], str],
    groups: Iterable[tuple[str, Iterable[type[Message]]]],
    family: Callable[[type[Message]], Iterable[type[Message]]],
) -> Iterator[Edge]:
    """Every edge; what nobody inside tells or asks comes from outside.

    `told`: (who, what). `handlers`: who does what a command asks. `groups`: (name, what it hears). `family`: the
    classes that a base stands for.
    """
    tellers: dict[type[Message], list[str]] = {}
    for sender, message in told:
        for one in family(message) if issubclass(message, Event) else (message,):
            tellers.setdefault(one, []).append(sender)
    for command, handler in handlers.items():
        for sender in tellers.get(command, [OUTSIDE]):
            yield Edge(sender, command.__name__, handler, "command")
    for name, heard in groups:
        for wanted in dict.fromkeys(heard):
            if issubclass(wanted, Event):
                inside = [one for one in family(wanted) if one in tellers]
                for event in inside or [wanted]:
                    for sender in tellers.get(event, [OUTSIDE]):
                        yield Edge(sender, event.__name__, name, "event")
