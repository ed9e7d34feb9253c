"""Everything that the demo found, and whether it adds up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shop.demo.facts import Deliveries, Mails, Money, Stock, Tables, Told
from shop.demo.story import Diary
from tidings import ops


@dataclass(frozen=True)
class Report:
    folder: Path
    diary: Diary
    told: Told
    money: Money
    stock: Stock
    tables: Tables
    mails: Mails
    deliveries: Deliveries
    groups: Sequence[ops.GroupState]
    topics: Sequence[ops.TopicState]
    example: str  # an order that was paid and reserved before it was cancelled
    journey: ops.Journey | None  # of it
    verdict: ops.Verdict

    def doubled(self) -> Mapping[str, int]:
        """Of each group, effects that happened twice: in the log, in its tables, or outside."""
        said, tables = self.told.doubled(), self.tables
        return {
            **{group.group: said[group.group] for group in self.groups},
            "payments": said["payments"] + self.money.doubled,
            "notifications": max(0, self.mails.sent - self.mails.due),
            "analytics.order_overview": tables.order_overview,
            "analytics.day_sales": tables.day_sales,
            "analytics.sql": tables.product_sales,
        }

    @property
    def in_hand(self) -> int:
        """Events that the killed worker had taken and not committed."""
        victim = self.diary.victim
        hand = self.deliveries.in_hand
        return sum(count for (pid, _), count in hand.items() if victim is not None and pid == victim.pid)

    @property
    def holds(self) -> bool:
        """Whether everything that must add up does."""
        return (
            self.money.conserved
            and self.stock.conserved
            and self.mails.sent == self.mails.due
            and not any(self.doubled().values())
            and not any(group.lag or group.held for group in self.groups)
            and self.verdict.sound
        )
