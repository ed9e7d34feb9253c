"""The services of the shop share their messages and nothing else: each could be in a repository of its own."""

from __future__ import annotations

import pytest

from tests.architecture.sources import imported, nodes

SERVICES = ["ordering", "payments", "inventory", "shipping", "notifications", "analytics"]
EVERYONE = {"shop.messages", "shop.outside"}  # what is said, and who is called: never another service


def shop_imports(folder: str) -> dict[str, set[str]]:
    """Place by place, which parts of the shop are imported there: `shop.messages`, `shop.payments`, ..."""
    found: dict[str, set[str]] = {}
    for place, node in nodes(folder):
        parts = {".".join(module.split(".")[:2]) for module in imported(node) if module.split(".")[0] == "shop"}
        if parts:
            found[place] = parts
    return found


def strangers(folder: str, allowed: set[str]) -> list[str]:
    return [f"{place} {', '.join(parts - allowed)}" for place, parts in shop_imports(folder).items() if parts - allowed]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_knows_no_other_service(service: str) -> None:
    assert shop_imports(f"examples/shop/{service}"), "there is such a service"
    found = strangers(f"examples/shop/{service}", {f"shop.{service}", *EVERYONE})
    assert not found, f"let it hear an event instead:\n{found}"


def test_the_checkout_knows_messages_alone() -> None:
    found = strangers("examples/shop/checkout.py", {"shop.messages"})
    assert not found, f"a saga asks by commands and hears events:\n{found}"


def test_the_outside_knows_only_the_ports_that_it_fills() -> None:
    found = strangers("examples/shop/outside", {"shop.outside", "shop.payments"})
    assert not found, f"an adapter imports its port:\n{found}"


def test_users_code_looks_through_the_front_door() -> None:
    """What newcomers copy imports `tidings` alone, not its insides."""
    found = [
        f"{place} {module}"
        for part in (*SERVICES, "checkout.py", "messages.py", "system.py")
        for place, node in nodes(f"examples/shop/{part}")
        for module in imported(node)
        if module.startswith("tidings.")
    ]
    assert not found, found
