"""`topics` and `tail`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from tidings import ops
from tidings.cli.options import Look, run
from tidings.cli.show import Column, err, line, table, text, to_json, write
from tidings.cli.texts import ago, body, count, moment, now, span
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
            ago(t.oldest, now()),
            ", ".join(t.groups) or text("nobody", "faint"),
        )
        for t in found
    ]
    numbers = [Column(n, right=True) for n in ("partitions", "records", "size")]
    columns: list[str | Column] = [
        "topic",
        *numbers,
        "keeps",
        Column("oldest", right=True),
        Column("groups", fold=True),
    ]
    table(columns, rows, "no topic was declared yet")


def _keeps(t: ops.TopicState) -> str:
    if t.compact:
        return "the last of each key"
    parts = [span(t.keep)] if t.keep is not None else []
    parts += [ops.size(t.keep_bytes)] if t.keep_bytes is not None else []
    parts += ["waits for groups"] if t.hold_for_groups else []
    return ", ".join(parts) or "for ever"


def tail(
    *names: str,
    last: Annotated[int | None, Parameter(name=["--last", "-n"])] = None,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative="")] = False,
    key: str | None = None,
    type: str | None = None,
    look: Look = Look(),
) -> int:
    """The records of topics, in the order of their commits; read by their envelopes, no code is needed.

    Parameters
    ----------
    names:
        Topics; none: all.
    last:
        So many from the end; 20, if nothing else is said.
    from_:
        All from here on: start, end, an offset, a moment (2026-03-01T12:00Z), or how long ago (90s, 15m, 2h, 7d).
    follow:
        Go on with what comes.
    key:
        Only of this key.
    type:
        Only of this name.
    """
    if last is not None and (last < 0 or from_ is not None):
        raise SettingsError("--last is a count of records from the end", hint="leave --from out, or --last")
    place = ops.read_place(from_) if from_ is not None else None
    wanted = Wanted(key, type)
    run(_tail(names, 20 if last is None else last, place, wanted, look, follow=follow))
    return 0


@dataclass(frozen=True)
class Wanted:
    key: str | None
    type: str | None

    def __call__(self, e: ops.Entry) -> bool:
        return self.key in (None, e.key) and self.type in (None, e.name)


async def _tail(
    names: Sequence[str], last: int, place: ops.Place | None, wanted: Wanted, look: Look, *, follow: bool
) -> None:
    show = _json if look.json else _line
    async with look.engine() as engine:
        topics = await ops.check_topics(engine, names)
        start = await ops.offsets(engine, topics, "end" if place is None else place)
        if place is None and last:
            for entry in await ops.last(engine, topics, last, wanted):
                show(entry)
                part = ops.Partition(entry.topic, entry.partition)
                start[part] = max(start[part], entry.offset + 1)
        if place is not None or follow:
            async for entry in ops.tail(engine, start, follow=follow, damaged=_damaged):
                if wanted(entry):
                    show(entry)


def _json(e: ops.Entry) -> None:
    write(to_json(e) + b"\n")


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
