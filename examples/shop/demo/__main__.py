"""`python -m shop.demo [--orders N] [--folder demo]`: the story, then the report. Ends with 1 if something is wrong."""

import argparse
import asyncio
import shutil
import sys
from pathlib import Path

from rich.console import Console

from shop.demo import facts
from shop.demo.report import Report
from shop.demo.show import WIDTH, show
from shop.demo.stage import Stage
from shop.demo.story import Diary, Story
from shop.entry import read_lines
from shop.system import shop
from tidings import Client, ops, settings
from tidings.domain.runtime import Runtime
from tidings.system import open_runtime

MINE = ("history", "outside")  # what an earlier demo left; nothing else is touched


async def main(folder: Path, lines: list[str], console: Console) -> Report:
    """The whole demo; its files stay in the folder."""
    empty(folder)
    stage = Stage(console, len(lines))
    story = Story(folder, lines, stage)
    async with open_runtime(shop.program, settings.load({"store": story.workers.store})) as runtime:
        client = Client(runtime)
        async with stage.raised(client, folder / "outside"):
            diary = await story.tell(client, runtime.engine)
        return await report(diary, folder, client, runtime)


async def report(diary: Diary, folder: Path, client: Client, runtime: Runtime) -> Report:
    engine, outside = runtime.engine, folder / "outside"
    told = await facts.Told.read(engine)
    example = one_undone(told)
    return Report(
        folder=folder,
        diary=diary,
        told=told,
        money=facts.money(told, outside),
        stock=await facts.stock(told, client),
        tables=await facts.tables(told, client),
        mails=facts.mails(told, outside),
        deliveries=facts.Deliveries.read(folder / "history"),
        groups=await ops.groups(engine),
        topics=await ops.topics(engine),
        example=example,
        journey=await ops.journey(engine, told.flows[example], ops.hears(runtime.program)) if example else None,
        verdict=await ops.verify(engine, runtime),
    )


def one_undone(told: facts.Told) -> str:
    """The first order that was paid and reserved before no carrier would take it, so all was undone; "" if none."""
    return min((order for order, why in told.cancelled.items() if why == facts.WHY["ShippingFailed"]), default="")


def empty(folder: Path) -> None:
    """A fresh start: files of an earlier demo go, others stay."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("shop.db*"), *folder.glob("*.log"), *(folder / name for name in MINE)):
        shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)


if __name__ == "__main__":
    options = argparse.ArgumentParser(prog="python -m shop.demo", description="A day in the life of the shop.")
    options.add_argument("--orders", type=int, help="only the first so many lines of orders.csv")
    options.add_argument("--folder", type=Path, default=Path("demo"), help="where its files go (default: demo)")
    given = options.parse_args()
    terminal = Console(width=None if sys.stdout.isatty() else WIDTH)
    found = asyncio.run(main(given.folder.resolve(), read_lines()[: given.orders], terminal))
    show(found, terminal)
    sys.exit(0 if found.holds else 1)
