"""`verify`."""

from __future__ import annotations

from tidings import ops
from tidings.cli.options import Look, run
from tidings.cli.show import err, glyph, line, text
from tidings.cli.texts import count

COLOURS = {"holds": "ok", "violated": "act", "not shown": "look"}


def verify(*, look: Look = Look()) -> int:
    """Look at everything a store holds, and say which invariants hold; exit with 1 if one is violated.

    With --target the projections are folded again from their first event and compared row by row.
    """

    async def go() -> ops.Verdict:
        async with look.both() as (engine, runtime):
            return await ops.verify(engine, runtime, _progress)

    verdict = look.answer(run(go()), _show)
    return 0 if verdict.sound else 1


def _progress(title: str) -> None:
    if err().is_terminal:
        err().print(text(f"looking at {title} ...", "faint"))


def _show(verdict: ops.Verdict) -> None:
    for check in verdict.checks:
        sign = {"holds": glyph("✓", "ok"), "violated": glyph("✗", "NO"), "not shown": "?"}[check.outcome]
        seen = f"({count(check.looked_at)} {check.what})" if check.looked_at else ""
        line(
            text(f"{sign:<2}", COLOURS[check.outcome]),
            text(f"{check.id:<4}", "strong"),
            check.title,
            text(seen, "faint"),
        )
        for sentence in check.violations:
            line("       ", text(sentence, "act"))
        if check.count > len(check.violations):
            line("       ", text(f"and {count(check.count - len(check.violations))} more", "act"))
        for remark in check.remarks:
            line("       ", text(remark, "look" if check.outcome == "not shown" else "faint"))
    line()
    violated = [c for c in verdict.checks if c.outcome == "violated"]
    hidden = [c.id for c in verdict.checks if c.outcome == "not shown"]
    if violated:
        line(text(f"violated: {', '.join(c.id for c in violated)}", "act"))
    else:
        line("no violation was found" + (f"; not shown: {', '.join(hidden)}" if hidden else ""))
    line(text(verdict.beyond, "faint"))
