"""`doctor`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from tidings import ops, settings
from tidings.cli.options import Look
from tidings.cli.show import Column, glyph, line, table, text
from tidings.cli.texts import body, moment


def doctor(*, check: Annotated[bool, Parameter(negative="")] = False, look: Look = Look()) -> int:
    """The state of the store and of what it stands on, and what of it asks for a person.

    Parameters
    ----------
    check:
        Exit with 1 if somebody has to act.
    """
    explained = settings.explain({"store": look.store, "target": look.target})

    async def ask(engine: ops.Engine) -> ops.Diagnosis:
        return await ops.doctor(engine, look.settings, explained)

    found = look.ask(ask, _show)
    return 1 if check and found.health == "act" else 0


def _show(found: ops.Diagnosis) -> None:
    signs = {"ok": "", "look": "!", "act": glyph("✗", "!!")}
    rows = [
        (text(signs[f.health], f.health), text(f.about, "strong"), text(f.value, f.health), text(f.hint, "faint"))
        for f in found.findings
    ]
    table(["", "what", Column("is", fold=True), Column("to do", fold=True)], rows)
    if found.deeds:
        line()
        done = [
            (text(moment(d.time), "faint"), d.who, d.act, d.group, text(body(d.detail), "faint")) for d in found.deeds
        ]
        table(["when", "who", "did", "to", Column("what", fold=True)], done)
    line()
    chosen = [(s.name, str(s.value), s.source) for s in found.settings if s.source != "the default"]
    table(["setting", "value", "from"], chosen)
    rest = ", ".join(f"{s.name} {s.value}" for s in found.settings if s.source == "the default" and s.value is not None)
    line(text(f"by default: {rest}", "faint"))
