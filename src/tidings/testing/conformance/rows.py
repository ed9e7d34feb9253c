"""Tables and rows."""

from __future__ import annotations

from tidings.engine.port import Engine, Table
from tidings.engine.unit import Address, Failed, Unit, Value, Write
from tidings.errors import Refused
from tidings.testing.conformance.bench import OTHER_ROW, ROW, SHELVES, Lack, commit, kept, prepare, raised

KINDS = Table(
    "kinds",
    [
        ("id", "text"), ("i", "integer"), ("r", "real"), ("b", "blob"), ("d", "numeric"), ("j", "json"),
        ("t", "timestamp"), ("y", "boolean"),
    ],
)  # fmt: skip


async def test_tables_declared_twice_are_one(e: Engine, other: Engine) -> None:
    await prepare(e)
    await kept(e, Unit(writes=[Write(ROW, ["a", 1])]))
    await other.store.tables([SHELVES])
    assert (await other.store.rows([ROW]))[0]


async def test_a_table_with_other_columns_is_refused(e: Engine) -> None:
    await prepare(e)
    for columns in ([("id", "text"), ("m", "integer")], [("id", "text"), ("n", "text")], [("id", "text")]):
        refused = await raised(Refused, e.store.tables([Table("shelves", columns)]))
        assert "shelves" in refused.message and refused.hint


async def test_a_table_that_nobody_declared_is_refused(e: Engine) -> None:
    await prepare(e)
    for attempt in (e.store.rows([Address("cellars", "a")]), e.store.page("cellars", "", 9)):
        assert (await raised(Refused, attempt)).hint
    assert isinstance(await commit(e, Unit(writes=[Write(Address("cellars", "a"), ["a"])])), Failed)


async def test_values_of_every_type_come_back(e: Engine) -> None:
    await e.store.tables([KINDS])
    values: list[Value] = ["k", -(1 << 62), 0.1, bytes(range(256)), 12, '{"a":1}', 1_700_000_000_000_000, 1]
    empty: list[Value] = ["e", None, None, None, None, None, None, None]
    await kept(e, Unit(writes=[Write(Address("kinds", "k"), values), Write(Address("kinds", "e"), empty)]))
    rows = await e.store.rows([Address("kinds", "k"), Address("kinds", "e")])
    assert [row and list(row[1]) for row in rows] == [values, empty]


async def test_rows_come_in_the_order_asked(e: Engine) -> None:
    await prepare(e)
    await kept(e, Unit(writes=[Write(ROW, ["a", 1]), Write(OTHER_ROW, ["b", 2])]))
    rows = await e.store.rows([OTHER_ROW, Address("shelves", "none"), ROW, OTHER_ROW])
    assert [row and row[1][1] for row in rows] == [2, None, 1, 2]


async def test_rows_are_paged_in_the_order_of_their_keys(e: Engine) -> None:
    await prepare(e)
    keys = ["b", "a", "\N{LATIN SMALL LETTER E WITH ACUTE}", "B", "c"]
    await kept(e, Unit(writes=[Write(Address("shelves", key), [key, n]) for n, key in enumerate(keys)]))
    await kept(e, Unit(writes=[Write(Address("shelves", "c"), None)]))
    everything = await e.store.page("shelves", "", 9)
    assert [values[0] for _, values in everything] == sorted(keys[:4])
    assert [values[0] for _, values in await e.store.page("shelves", "B", 2)] == ["a", "b"]
    assert not await e.store.page("shelves", everything[-1][1][0], 9)  # type: ignore[arg-type]
    one = (await e.store.rows([ROW]))[0]
    assert one and (one[0], list(one[1])) in [(version, list(values)) for version, values in everything]


async def test_a_row_of_another_width_fails_its_unit(e: Engine) -> None:
    await prepare(e)
    good = Unit(writes=[Write(OTHER_ROW, ["b", 1])])
    answers = await e.store.commit([Unit(writes=[Write(ROW, ["a", 1, 2])]), good])
    assert [type(a).__name__ for a in answers] == ["Failed", "Committed"]


# ---- SQL -----------------------------------------------------------------------------------------------------------


async def test_a_script_runs_once_and_is_compared_afterwards(e: Engine, other: Engine) -> None:
    if not e.can.sql:
        raise Lack("SQL")
    sql = "create table bills (id text primary key, n integer); create table lines (id text primary key)"
    assert set(await e.store.script("billing", sql)) == {"bills", "lines"}
    assert set(await other.store.script("billing", sql)) == {"bills", "lines"}
    refused = await raised(Refused, e.store.script("billing", "create table bills (id text primary key)"))
    assert "billing" in refused.message and refused.hint


async def test_a_query_reads_and_cannot_write(e: Engine) -> None:
    if not e.can.sql:
        raise Lack("SQL")
    await prepare(e)
    await kept(e, Unit(writes=[Write(ROW, ["a", 7]), Write(OTHER_ROW, ["b", 9])]))
    found = await e.store.query("select id, n from shelves where n > :least order by id", {"least": 7})
    assert [tuple(row) for row in found] == [("b", 9)]
    await raised(Refused, e.store.query("delete from shelves", {}))
    assert len(await e.store.page("shelves", "", 9)) == 2
