"""`topics` and `tail`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from tidings import ops
from tidings.cli.options import Look, run
from tidings.cli.show import Column, err, line, table, text, to_json, write
from tidings.cli.texts import body, count, moment, span
from tidings.errors import Corrupt, SettingsError

Flag = Annotated[bool, Parameter(negative="")]


def topics(*, look: Look = Look()) -> int:
    """Topics: what lies in them, how long they keep it, who reads them."""
    look.ask(ops.topics, _show)
    return 0


def _show(found: Sequence[ops.TopicState]) -> None:
    rows = [
        (
            text(t.topic, "strong"),
            str(len(t.partitions)),
            count(t.records),
            ops.size(t.bytes) if t.records else "",
            _keeps(t),
            moment(t.oldest),
            ", ".join(t.groups) or text("nobody", "faint"),
        )
        for t in found
    ]
    numbers = [Column(n, right=True) for n in ("partitions", "records", "size")]
    table(["topic", *numbers, "keeps", "oldest", Column("groups", fold=True)], rows, "no topic was declared yet")


def _keeps(t: ops.TopicState) -> str:
    if t.compact:
        return "the last of each key"
    parts = [span(t.keep)] if t.keep is not None else []
    parts += [ops.size(t.keep_bytes)] if t.keep_bytes is not None else []
    parts += ["waits for groups"] if t.hold_for_groups else []
    return ", ".join(parts) or "for ever"


def tail(
    *names: str,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative="")] = False,
    key: str | None = None,
    type: str | None = None,
    limit: Annotated[int | None, Parameter(name=["--limit", "-n"])] = None,
    look: Look = Look(),
) -> int:
    """The records of topics, in the order of their commits; read by their envelopes, no code is needed.

    Parameters
    ----------
    names:
        Topics; none: all.
    from_:
        start, end, an offset, a moment (2026-03-01T12:00Z), or how long ago (90s, 15m, 2h, 7d). Default: start; with
        --follow: end.
    follow:
        Go on with what comes.
    key:
        Only of this key.
    type:
        Only of this name.
    limit:
        So many at most.
    """
    if limit is not None and limit < 0:
        raise SettingsError(f"--limit {limit} is less than nothing", hint="a count of records")
    place = ops.read_place(from_ or ("end" if follow else "start"))
    run(_tail(names, place, look, follow=follow, key=key, type=type, limit=limit))
    return 0


async def _tail(
    names: Sequence[str],
    place: ops.Place,
    look: Look,
    *,
    follow: bool,
    key: str | None,
    type: str | None,
    limit: int | None,
) -> None:
    left = limit
    async with look.engine() as engine:
        start = await ops.offsets(engine, await ops.check_topics(engine, names), place)
        if left == 0:
            return
        async for entry in ops.tail(engine, start, follow=follow, damaged=_damaged):
            if (key is not None and entry.key != key) or (type is not None and entry.name != type):
                continue
            if look.json:
                write(to_json(entry) + b"\n")
            else:
                _line(entry)
            if left is not None:
                left -= 1
                if left == 0:
                    return


def _damaged(error: Corrupt) -> None:
    err().print(text(f"tidings: {error.message}", "act"), soft_wrap=True)


def _line(e: ops.Entry) -> None:
    name = Text.assemble((text(e.name).plain, "bold" if e.kind == "event" else ""))
    if e.unreadable:
        line(text(moment(e.time), "faint"), e.place, text(e.unreadable, "act"), body(e.data))
        return
    version = f" v{e.version}" if e.version != 1 else ""
    key = "" if e.key is None else f"key {e.key}"
    parts = [text(moment(e.time), "faint"), text(e.place, "faint"), name + version, key, body(e.data)]
    line(*[p for p in parts if not isinstance(p, str) or p], text(e.id, "faint"))
