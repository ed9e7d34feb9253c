"""What people send in is placed, refused with a sentence, or recognised."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shop import shop
from shop.catalogue import Catalogue
from shop.entry import ORDERS, Entry, read_lines
from shop.make_orders import lines
from shop.ordering import ordering
from tidings import Client

pytestmark = pytest.mark.anyio
good = "o-1,Ada Adler,DE,mug:2 ink:1"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with shop.running(only=[ordering], store=f"sqlite:///{tmp_path / 'shop.db'}", synchronous="off") as client:
        yield client


@pytest.fixture
def entry(client: Client) -> Entry:
    return Entry(client, Catalogue.read())


async def test_an_order_is_placed(entry: Entry) -> None:
    entered = await entry.take(2, good)
    assert (entered.what, entered.order_id, entered.text) == ("placed", "o-1", "")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("o-1,Ada Adler,DE,time-machine:1", "line 7 is refused: we have no 'time-machine'"),
        ("o-1,Ada Adler,DE,mug:-3", "line 7 is refused: a quantity must be at least 1"),
        ("o-1,Ada Adler,DE,mug", "line 7 is refused: 'mug' does not say how many"),
        ("o-1,Ada Adler,DE,", "line 7 is refused: 'o-1,Ada Adler,DE,' is not order,customer,ship_to,items"),
        ("o-1;Ada Adler;DE;mug:1", "line 7 is refused: 'o-1;Ada Adler;DE;mug:1' is not order,customer,ship_to,items"),
        ("", "line 7 is refused: '' is not order,customer,ship_to,items"),
    ],
)
async def test_a_line_that_makes_no_sense_is_refused_with_a_sentence(entry: Entry, text: str, sentence: str) -> None:
    entered = await entry.take(7, text)
    assert (entered.what, entered.text) == ("refused", sentence)


async def test_the_same_order_again_is_recognised(entry: Entry) -> None:
    entered = await entry.take_all([good, good])
    assert [one.what for one in entered] == ["placed", "recognised"]
    assert entered[1].text == "line 3 is recognised: order o-1 was placed before, and is placed once"


async def test_the_same_order_on_another_day_is_recognised(entry: Entry, client: Client) -> None:
    await entry.take(2, good)
    assert (await Entry(client, entry.catalogue).take(2, good)).what == "recognised"


async def test_the_same_number_with_another_order_is_refused(entry: Entry) -> None:
    await entry.take(2, good)
    entered = await entry.take(9, "o-1,Ada Adler,DE,candle:1")
    assert (entered.what, entered.text) == (
        "refused",
        "line 9 is refused: order o-1 was placed before, and was another one",
    )


def test_the_file_of_orders_is_what_its_script_writes() -> None:
    assert read_lines(ORDERS) == list(lines())
