"""How it is told: the report of a day, for a terminal of eighty columns or more."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from os.path import relpath
from typing import TypeAlias

from rich import box
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table

from shop.demo.report import Report
from tidings import ops

WIDTH = 100
Part: TypeAlias = Callable[[Report], Iterable[RenderableType]]
Sum: TypeAlias = tuple[bool, str, str, str]  # does it add up; what; the sum; a remark


def show(report: Report, console: Console) -> None:
    parts: list[tuple[str, Part]] = [
        ("Orders", orders),
        ("What must add up", sums),
        ("Topics", topics),
        ("Groups", groups),
        ("One cancelled order, from the command through every service to the refund", flow),
        ("What `tidings verify` says", verdict),
        ("Look further", further),
    ]
    for title, part in parts:
        console.print()
        console.rule(f"[bold]{title}", align="left", style="dim")
        for line in part(report):
            console.print(line, highlight=False, soft_wrap=part is further)


def table(*columns: str) -> Table:
    """Words in the first column, numbers in the others."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim", padding=(0, 1, 0, 0))
    for number, title in enumerate(columns):
        made.add_column(title, justify="right" if number else "left", no_wrap=not number)
    return made


# ---- Orders --------------------------------------------------------------------------------------------------------


def orders(report: Report) -> Iterable[RenderableType]:
    told, diary = report.told, report.diary
    counts = diary.counts()
    reasons = ", ".join(f"{why} {count:,}" for why, count in Counter(told.cancelled.values()).most_common())
    yield (
        f"{counts.total():,} lines: {counts['placed']:,} placed, {counts['recognised']} recognised, "
        f"{counts['refused']} refused"
    )
    yield (
        f"{len(told.orders):,} orders: [green]{len(told.confirmed):,} confirmed[/], "
        f"[yellow]{len(told.cancelled):,} cancelled[/], {len(told.orders) - len(told.ended)} open"
    )
    yield f"[dim]cancelled because: {reasons}[/]"
    yield (
        f"from an order to its end: morning {waits(told.waits(None, diary.rush_began))}; "
        f"rush hour {waits(told.waits(diary.rush_began, None))}"
    )
    if diary.rush_began and diary.rush_ended:
        rate = told.rate(diary.rush_began, diary.rush_ended)
        yield f"{len(told.times):,} events were told; in the rush hour [bold]{rate:,.0f} a second[/]"


def waits(found: Sequence[float]) -> str:
    if not found:
        return "none"
    half, most = found[len(found) // 2], found[int(len(found) * 0.99)]
    return f"p50 {spoken(half)}, p99 {spoken(most)}"


def spoken(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


# ---- What must add up ----------------------------------------------------------------------------------------------


def sums(report: Report) -> Iterable[RenderableType]:
    made = Table(box=None, show_header=False, padding=(0, 1))
    for right, what, text, remark in (money(report), cards(report), stock(report), mails(report), tables(report)):
        made.add_row(mark(right), f"[bold]{what}[/]", f"{text}\n[dim]{remark}[/]")
    yield made


def money(report: Report) -> Sum:
    m = report.money
    text = f"{m.captured:,} captured - {m.refunded:,} refunded = {m.captured - m.refunded:,}"
    return m.conserved, "money", text, f"as the card provider remembers; the confirmed orders cost {m.confirmed:,}"


def cards(report: Report) -> Sum:
    m = report.money
    text = f"{m.payments:,} payments, taken twice: {m.doubled}"
    return not m.doubled, "cards", text, f"calls made again, and recognised by their key: {m.repeated}"


def stock(report: Report) -> Sum:
    s = report.stock
    text = f"{s.received:,} received = {s.on_hand:,} on hand + {s.reserved:,} reserved + {s.shipped:,} shipped"
    remark = f"the confirmed orders are {s.sold:,} units; sold out: {', '.join(s.empty) or 'nothing'}"
    return s.conserved, "stock", text, remark


def mails(report: Report) -> Sum:
    m = report.mails
    remark = f"handed in again, and recognised by their id: {m.repeated}"
    return m.sent == m.due, "mails", f"{m.sent:,} sent = {m.due:,} due", remark


def tables(report: Report) -> Sum:
    t = report.tables
    best = ", ".join(f"{one.product_id} {one.sold}" for one in t.best)
    agree = not (t.order_overview or t.day_sales or t.product_sales)
    return agree, "tables", "every read model agrees with the log", f"most wanted: {best}"


def mark(right: bool) -> str:
    return "[green]✓[/]" if right else "[red]✗[/]"


# ---- Topics and groups ---------------------------------------------------------------------------------------------


def topics(report: Report) -> Iterable[RenderableType]:
    made = table("topic", "partitions", "events")
    for topic in report.topics:
        made.add_row(topic.topic, str(len(topic.partitions)), f"{topic.records:,}")
    yield made


def groups(report: Report) -> Iterable[RenderableType]:
    made = table("group", "handled", "retried", "delivered again", "effects doubled", "parked", "lag")
    doubled = report.doubled()
    for group in report.groups:
        made.add_row(
            group.group,
            f"{group.counts.get('handled', 0):,}",
            str(group.counts.get("retried", 0)),
            str(report.deliveries.again[group.group]),
            none(doubled[group.group]),
            none(group.parked),
            none(group.lag),
        )
    yield made
    diary = report.diary
    yield ""
    if diary.victim is not None:
        yield f"payments-2 was killed with {some(report.in_hand)} in its hands, delivered again elsewhere"
    yield f"notifications came back {some(diary.behind)} behind, and had caught up after {diary.caught_up:.1f} s"
    yield f"{some(diary.redriven)} had been parked, and ran again"
    if diary.largest is not None:
        yield f"the largest worker took {diary.largest / 2**20:.0f} MiB of memory"


def some(events: int) -> str:
    return f"{events:,} event{'' if events == 1 else 's'}"


def none(count: int) -> str:
    return "[green]0[/]" if not count else f"[red]{count:,}[/]"


# ---- One order -----------------------------------------------------------------------------------------------------


def flow(report: Report) -> Iterable[RenderableType]:
    if report.journey is None:
        yield "no order was cancelled after it was paid"
        return
    made = table("what was said", "by", "after", "handled by")
    made.columns[1].justify = made.columns[3].justify = "left"
    for step in report.journey.steps:
        grow(made, step, "", "")
    yield made
    order = report.told.orders[report.example]
    yield (
        f"\n[dim]{report.example} of {escape(order['customer_id'])} to {order['ship_to']}, {order['total']} "
        f"{order['currency']}, cancelled: {report.told.cancelled[report.example]}[/]"
    )


def grow(made: Table, step: ops.Step, branch: str, below: str) -> None:
    """A row for the message, then one for each that it led to: `branch` leads to it, `below` to those."""
    one = step.entry
    name = f"[bold]{one.name}[/]" if one.kind == "command" else f"[cyan]{one.name}[/]"
    source = one.source.rpartition("/")[2]
    made.add_row(f"[dim]{branch}[/]{name}", source, f"{step.after * 1000:.0f} ms", became(step.fates))
    for number, each in enumerate(step.then, 1):
        last = number == len(step.then)
        grow(made, each, below + ("└ " if last else "├ "), below + ("  " if last else "│ "))


def became(fates: Sequence[ops.Fate]) -> str:
    """The services that handled it; where it came to something else, that too."""
    found: list[str] = []
    for what, alike in groupby(sorted(fates, key=lambda one: one.what), key=lambda one: one.what):
        names = ", ".join(dict.fromkeys(one.group.partition(".")[0] for one in alike))
        found.append(names if what == "handled" else f"{names} ([yellow]{what}[/])")
    return "; ".join(found) or "[dim]nobody[/]"


# ---- Proof, and what to do next ------------------------------------------------------------------------------------


def verdict(report: Report) -> Iterable[RenderableType]:
    made = Table(box=None, show_header=False, padding=(0, 1))
    for check in report.verdict.checks:
        style = {"holds": "green", "violated": "red", "not shown": "yellow"}[check.outcome]
        remarks = "; ".join([*check.violations, *(check.remarks if check.outcome != "holds" else ())])
        text = f"{check.title} [dim]({check.looked_at:,} {check.what})[/]"
        made.add_row(f"[{style}]{check.outcome}[/]", check.id, text + (f"\n{escape(remarks)}" if remarks else ""))
    yield made


def further(report: Report) -> Iterable[RenderableType]:
    """Lines to be copied: each stays whole, however narrow the terminal."""
    folder = relpath(report.folder)
    yield f"[bold]{folder}/[/] has it all: shop.db (SQLite), outside/ (cards, mails), the logs of workers"
    if sys.prefix != sys.base_prefix:
        yield f"    source {relpath(sys.prefix)}/bin/activate"
    yield f"    export PYTHONPATH=examples SHOP_OUTSIDE={folder}/outside"
    yield f"    export TIDINGS_STORE=sqlite:///{folder}/shop.db"
    for command, why in commands(report):
        yield f"    {command:<54}[dim]{why}[/]"


def commands(report: Report) -> list[tuple[str, str]]:
    """What to try next, and why."""
    flow = report.journey.correlation if report.journey is not None else ""
    return [
        ("tidings groups", "who is how far"),
        ("tidings tail order-events", "the events themselves"),
        *([(f"tidings journey {flow}", "the flow above")] if flow else []),
        (f"tidings streams Order {report.example}", "its own events"),
        ("tidings verify --target shop:shop", "the proof again"),
        ("tidings run shop:shop", "the workers again"),
        ("python -m shop.entry", "orders, beside them"),
    ]
