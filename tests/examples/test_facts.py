"""The demo's witnesses would notice: what is doubled, lost or crooked is counted, not smoothed over."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from shop.demo.facts import Deliveries, Stock, Told, mails, money
from shop.outside.ledger import Ledger
from tidings.ops import Entry

noon = datetime(2026, 11, 24, 12, tzinfo=UTC)


def said(name: str, body: dict[str, object], *, cause: str = "c-1", after: float = 0.0) -> Entry:
    at = noon + timedelta(seconds=after)
    data = msgspec.Raw(json.dumps(body).encode())
    return Entry(
        "t", 0, 0, at, "o-1", f"{name} {after}", name, 1, "event", "shop/payments", at, "flow", cause, "", data
    )  # fmt: skip


@pytest.fixture
def told() -> Told:
    """One order for 8, paid and confirmed."""
    made = Told()
    made.hear(said("OrderPlaced", {"total": "8.00", "lines": [{"product_id": "tea", "quantity": 2}]}))
    made.hear(said("PaymentSucceeded", {"payment_id": "p-1", "amount": "8.00"}))
    made.hear(said("OrderConfirmed", {}, after=0.5))
    return made


def charged(folder: Path, *lines: dict[str, str]) -> Path:
    ledger = Ledger(folder / "cards.jsonl")
    for number, line in enumerate(lines):
        ledger.once(f"k-{number}", lambda line=line: line)  # type: ignore[misc]
    ledger.close()
    return folder


def test_an_effect_told_twice_for_one_cause_is_doubled(told: Told) -> None:
    assert told.doubled().total() == 0
    told.hear(said("PaymentSucceeded", {"payment_id": "p-1", "amount": "8.00"}))
    assert told.doubled() == {"payments": 1}


def test_the_same_words_for_another_cause_are_not(told: Told) -> None:
    told.hear(said("PaymentFailed", {"reason": "no"}, cause="c-2"))
    told.hear(said("PaymentFailed", {"reason": "no"}, cause="c-3"))
    assert told.doubled().total() == 0


def test_the_time_of_an_order_ends_with_it(told: Told) -> None:
    assert told.waits(None, None) == [0.5]
    assert told.waits(noon + timedelta(seconds=1), None) == []


def test_money_is_conserved_where_cards_and_log_agree(told: Told, tmp_path: Path) -> None:
    found = money(told, charged(tmp_path, {"payment": "p-1", "amount": "8.00"}))
    assert found.conserved
    assert found.captured == Decimal("8.00")


def test_a_charge_that_nobody_told_of_is_found(told: Told, tmp_path: Path) -> None:
    twice = {"payment": "p-1", "amount": "8.00"}, {"payment": "p-2", "amount": "8.00"}
    found = money(told, charged(tmp_path, *twice))
    assert not found.conserved
    assert found.doubled == 1


def test_a_refund_that_nobody_told_of_is_found(told: Told, tmp_path: Path) -> None:
    found = money(told, charged(tmp_path, {"payment": "p-1", "amount": "8.00"}, {"refunded": "p-1"}))
    assert not found.conserved


@pytest.mark.parametrize(
    "wrong",
    [{"on_hand": 7}, {"reserved": 1, "on_hand": 7}, {"sold": 3}, {"crooked": ["tea"]}],
    ids=["lost", "reserved", "sold", "crooked"],
)
def test_stock_that_does_not_add_up_is_found(wrong: dict[str, object]) -> None:
    right: dict[str, object] = {
        "received": 10, "on_hand": 8, "reserved": 0, "shipped": 2, "sold": 2, "crooked": [], "empty": []
    }  # fmt: skip
    assert msgspec.convert(right, Stock).conserved
    assert not msgspec.convert(right | wrong, Stock).conserved


def test_a_mail_too_many_is_counted(told: Told, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "mails.jsonl")
    for number in range(3):
        ledger.once(f"m-{number}", lambda: {"to": "ada"})
    ledger.close()
    found = mails(told, tmp_path)
    assert (found.sent, found.due) == (3, 2)


def test_what_a_dead_process_had_in_hand_is_counted(tmp_path: Path) -> None:
    events = [["t", 0, 1], ["t", 0, 2]]
    lines = [
        {"what": "invoke", "group": "g", "pid": 1, "events": events},
        {"what": "invoke", "group": "g", "pid": 2, "events": events},
        {"what": "ok", "group": "g", "pid": 2, "events": events},
    ]
    (tmp_path / "h.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = Deliveries.read(tmp_path)
    assert found.again == {"g": 2}
    assert (found.in_hand[1, "g"], found.in_hand[2, "g"]) == (2, 0)
