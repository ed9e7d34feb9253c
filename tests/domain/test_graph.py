from __future__ import annotations

from tests.domain import trade
from tests.domain.trade import (
    OrderEvent,
    Placed,
    services,
)
from tidings import (
    Service,
)
from tidings.domain.program import Program

whole = Program("trade", services)


def test_the_graph_says_who_tells_and_asks_whom() -> None:
    assert whole.graph().text().splitlines() == [
        "checkout asks ordering: Cancel, Confirm",
        "checkout asks payments: Charge",
        "ordering tells analytics.overview: Cancelled, Confirmed, Placed",
        "ordering tells checkout: Placed",
        "outside asks ordering: Place",
        "outside asks payments: Refund",
        "payments tells checkout: Declined, Paid",
    ]


def test_the_graph_can_be_drawn() -> None:
    drawn = str(whole.graph())
    assert drawn.startswith("flowchart LR\n")
    assert "  analytics_overview[analytics.overview]" in drawn
    assert "  checkout -.->|Cancel<br/>Confirm| ordering" in drawn
    assert "  payments -->|Declined<br/>Paid| checkout" in drawn


def test_a_drawing_keeps_names_apart_that_mermaid_would_confuse() -> None:
    one, other, third = Service("a.b"), Service("a-b"), Service("end")
    for service in (one, other, third):

        @service.on
        def hear(event: Placed) -> None: ...

    drawn = str(Program("p", [one, other, third]).graph())
    assert "  a_b[a-b]\n  a_b_2[a.b]\n  end_[end]" in drawn


def test_a_base_class_is_drawn_as_what_is_told_of_it() -> None:
    hearer = Service("hearer")

    @hearer.on
    def hear(event: OrderEvent) -> None: ...

    graph = Program("p", [trade.ordering, hearer]).graph()
    assert "ordering tells hearer: Cancelled, Confirmed, Placed" in graph.text()
    alone = Program("p", [hearer]).graph()
    assert alone.text() == "outside tells hearer: OrderEvent"
