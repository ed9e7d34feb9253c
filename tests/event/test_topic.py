from __future__ import annotations

from datetime import timedelta

import pytest

from tidings import DefinitionError, Topic, days
from tidings.event.topic import collisions


@pytest.mark.parametrize("name", ["orders", "a", "order-events", "orders.v2_final", "x" * 249])
def test_a_name_that_kafka_takes_is_taken(name: str) -> None:
    assert Topic(name).name == name


@pytest.mark.parametrize("name", ["", ".", "..", "order events", "ordrés", "a/b", "a\n", "x" * 250])
def test_a_name_that_kafka_refuses_is_refused(name: str) -> None:
    with pytest.raises(DefinitionError, match="topic name"):
        Topic(name)


def test_a_topic_keeps_a_week_in_eight_partitions_unless_told_otherwise() -> None:
    topic = Topic("orders")
    assert (topic.partitions, topic.retention, topic.retention_bytes) == (8, days(7), None)
    assert not (topic.compacted or topic.hold_for_groups or topic.closed)


@pytest.mark.parametrize(
    "wrong",
    [{"partitions": 0}, {"retention": timedelta(0)}, {"retention": days(-1)}, {"retention_bytes": 0}],
    ids=str,
)
def test_a_topic_that_could_hold_nothing_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(DefinitionError, match="'orders'"):
        Topic("orders", **wrong)  # type: ignore[arg-type]


def test_names_that_differ_only_in_dot_and_underscore_collide() -> None:
    assert collisions(["a.b", "c", "a_b", "a.b", "d_e"]) == [("a.b", "a_b")]
