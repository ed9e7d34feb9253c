"""The outside parties remember by a key: whoever asks again, from whichever process, changes nothing."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from shop.notifications import Letters
from shop.outside.cards import LIMIT, Cards
from shop.outside.ledger import Ledger
from shop.outside.mail import MailServer
from shop.outside.parcels import Parcels
from shop.payments import Declined

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.jsonl"


def test_a_key_is_kept_once_across_processes(path: Path) -> None:
    one, other = Ledger(path), Ledger(path)  # two handles, as two processes have
    assert one.once("k", lambda: {"value": 1}) == other.once("k", lambda: {"value": 2})
    assert {**one.lines()} == {**other.lines()} == {"k": {"key": "k", "value": 1}}
    assert one.repeated == other.repeated == 1


async def test_a_card_is_charged_once_for_a_key(path: Path) -> None:
    cards = Cards(path, latency=0)
    first = await cards.charge("ada", Decimal(8), idempotency_key="k")
    assert await Cards(path, latency=0).charge("ada", Decimal(8), idempotency_key="k") == first
    assert len(cards.ledger.lines()) == 1


async def test_a_decline_is_remembered_too(path: Path) -> None:
    for _ in range(2):
        with pytest.raises(Declined, match="more than"):
            await Cards(path, latency=0).charge("ada", LIMIT + 1, idempotency_key="k")


async def test_a_line_that_breaks_after_the_charge_leaves_the_money_moved_once(path: Path) -> None:
    cards = Cards(path, latency=0)
    for number in range(600):
        key = f"k-{number}"
        try:
            await cards.charge("ada", Decimal(1), idempotency_key=key)
        except ConnectionError:
            await cards.charge("ada", Decimal(1), idempotency_key=key)
    assert len(cards.ledger.lines()) == 600
    assert cards.ledger.repeated > 0


async def test_a_mail_is_sent_once_for_an_id(path: Path) -> None:
    for _ in range(2):
        await MailServer(path).send("ada", "hello", message_id="m")
    assert [line["text"] for line in Ledger(path).lines().values()] == ["hello"]


def test_a_carrier_says_where_it_does_not_go() -> None:
    with Parcels() as parcels:
        assert parcels.book("DE", reference="r") is not None
        assert parcels.book("AQ", reference="r") is None


def test_the_first_release_of_the_letters_breaks_on_a_curious_name() -> None:
    assert Letters(1).write("Ada", "o-1", "hi") == Letters(2).write("Ada", "o-1", "hi")
    with pytest.raises(KeyError):
        Letters(1).write("Bobby {Tables}", "o-1", "hi")
    assert "Bobby {Tables}" in Letters(2).write("Bobby {Tables}", "o-1", "hi")
