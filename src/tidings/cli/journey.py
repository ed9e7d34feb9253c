"""`journey`: the tree of a flow, with times since it began."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text
from rich.tree import Tree

from tidings import ops
from tidings.cli.options import Look, run
from tidings.cli.sagas import COLOURS, told
from tidings.cli.show import STYLES, glyph, line, out, text
from tidings.cli.texts import moment, plural, span

FATES = {"parked": "act", "dropped": "act", "paused": "act", "rejected": "look", "held": "look", "unknown": "look"}


def journey(id: str, /, *, look: Look = Look()) -> int:
    """The whole flow of an event or command: who caused what, and what became of each message in every group.

    Parameters
    ----------
    id:
        Of any message of the flow, or of the flow itself (its correlation id).
    """

    async def go() -> ops.Journey:
        async with look.both() as (engine, runtime):
            return await ops.journey(engine, id, ops.hears(runtime.program) if runtime is not None else None)

    look.answer(run(go()), _show)
    return 0


def _show(found: ops.Journey) -> None:
    line(text(f"journey {found.correlation}", "strong"))
    line(text(f"began {moment(found.began)}, {plural(found.events, 'message')} in {span(found.took)}", "faint"))
    for step in found.steps:
        tree = Tree(_label(step, found), guide_style="dim")
        _grow(tree, step, found)
        out().print(tree)
    for waiting in found.pending:
        line(text("waits", "look"), f"{waiting.name} of {waiting.group} until {moment(waiting.due)}")
    for saga in found.sagas:
        shown = told(saga)
        line("saga", text(f"{saga.saga} {saga.key}", "strong"), text(saga.status, COLOURS.get(saga.status, "")), shown)
    for remark in found.remarks:
        line(text(remark, "look"))


def _grow(tree: Tree, step: ops.Step, found: ops.Journey) -> None:
    for child in step.then:
        _grow(tree.add(_label(child, found)), child, found)


def _label(step: ops.Step, found: ops.Journey) -> Text:
    e = step.entry
    place = "private" if step.private else e.place
    key = "" if e.key is None else f" {e.key}"
    label = Text.assemble(
        (f"+{span(step.after)} ", "dim"),
        (text(e.name).plain, "bold" if e.kind == "event" else "bold italic"),
        text(key),
        (
            "  "
            + " ".join(text(p).plain for p in (e.kind if e.kind != "event" else "", place, step.stream or "") if p),
            "dim",
        ),
        (f"  from {text(e.source).plain}", "dim"),
    )
    for part in _fates(step, found):
        label.append("\n  ").append_text(part)
    return label


def _fates(step: ops.Step, found: ops.Journey) -> Iterator[Text]:
    """Everybody who handled it on one line, everything else on a line of its own."""
    done = [f for f in step.fates if f.what == "handled"]
    if done:
        dot = glyph(" · ", ", ")
        yield text("handled by " + dot.join(f"{f.group}{_at(f, found)}" for f in done), "faint")
    for f in step.fates:
        if f.what == "handled":
            continue
        words = {"waiting": "waits before", "passed": "passed by", "held": "held by", "parked": "parked by"}.get(f.what)
        said = f"{words} {f.group}" if words else f"{f.what} by {f.group}"
        until = f" until {moment(f.time)}" if f.what == "held" and f.time else ""
        yield Text(
            text(f"{said}{until}{f': {f.text}' if f.text else ''}").plain,
            style=STYLES.get(FATES.get(f.what, "faint"), ""),
        )


def _at(f: ops.Fate, found: ops.Journey) -> str:
    """When: a time that the ledger knows only as the latest is marked."""
    if f.time is None:
        return ""
    sign = "+" if f.exact else glyph("≤", "<=")
    return f" {sign}{span(max(0.0, (f.time - found.began).total_seconds()))}"
