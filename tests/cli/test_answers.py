"""Every command: its JSON, its table, and that nothing from outside reaches a terminal as it is."""

from __future__ import annotations

import json
import re

import pytest

from tests.cli.conftest import TARGET, Cli

LOOKS = [
    ("groups",),
    ("groups", "scale"),
    ("topics",),
    ("tail",),
    ("tail", "parcel-events", "--from", "start"),
    ("parked",),
    ("streams",),
    ("streams", "Parcel"),
    ("streams", "Parcel", "a"),
    ("sagas",),
    ("verify",),
    ("doctor",),
]
ids = [" ".join(look) for look in LOOKS]


@pytest.mark.parametrize("look", LOOKS, ids=ids)
def test_every_look_answers_with_one_json_document(look: tuple[str, ...], cli: Cli, store: str) -> None:
    said = cli(*look, "--store", store, "--json")
    assert (said.code, said.err) == (0, "")
    for document in said.out.splitlines() if look[0] == "tail" else [said.out]:
        assert isinstance(json.loads(document), list | dict)


@pytest.mark.parametrize("columns", ["1", "40", "80", "400", "wide"])
@pytest.mark.parametrize("look", LOOKS, ids=ids)
def test_every_look_has_a_table_of_any_width(
    look: tuple[str, ...], columns: str, cli: Cli, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    said = cli(*look, "--store", store)
    assert (said.code, said.err) == (0, "") and said.out
    if columns == "40" and look[0] not in ("tail", "verify", "doctor"):
        assert all(len(line.rstrip()) <= 60 for line in said.out.splitlines()), said.out


@pytest.mark.parametrize("columns", ["61", "80", "100"])
def test_a_table_that_does_not_fit_becomes_blocks_before_it_cuts_a_name(
    columns: str, cli: Cli, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for topic in ("parcel-events", "counter.commands"):
        assert re.search(rf"(^|\s){re.escape(topic)}(\s|$)", cli("topics", "--store", store).out), topic


@pytest.mark.parametrize("look", LOOKS, ids=ids)
def test_escapes_from_outside_are_shown_and_never_sent(look: tuple[str, ...], cli: Cli, store: str) -> None:
    for json_too in ((), ("--json",)):
        said = cli(*look, "--store", store, *json_too)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\x9b]", said.out), repr(said.out)
        if not json_too:
            assert "\u202e" not in said.out


def test_an_escape_in_a_key_is_shown_as_text(cli: Cli, store: str) -> None:
    assert "\\x1b[31mred\\x07\\u202e" in cli("parked", "--store", store).out


def test_groups_show_what_is_wrong(cli: Cli, store: str) -> None:
    said = cli("groups", "--store", store)
    row = next(line for line in said.out.splitlines() if line.startswith("scale"))
    assert row.split() == ["scale", "parked", "0", "2", "2", "0"]
    (scale,) = [g for g in cli("groups", "--store", store, "--json").json if g["group"] == "scale"]
    assert (scale["status"], scale["state"], scale["parked"]) == ("look", "parked", 2)


def test_checking_groups_fails_only_where_somebody_must_act(cli: Cli, own_store: str) -> None:
    assert cli("groups", "--check", "--store", own_store).code == 0
    cli("publish", TARGET, "Received", '{"parcel": "z", "weight": 1}', "--store", own_store)
    said = cli("groups", "--check", "--store", own_store)
    assert said.code == 1 and "no live member has it" in said.out
    assert cli("doctor", "--check", "--store", own_store).code == 1


def test_a_tail_is_filtered_and_cut(cli: Cli, store: str) -> None:
    records = [json.loads(line) for line in cli("tail", "--store", store, "--json", "-n", "1000").out.splitlines()]
    assert [r["offset"] for r in records] == sorted(r["offset"] for r in records)
    last = cli("tail", "--store", store, "-n", "2", "--json").out.splitlines()
    assert [json.loads(line) for line in last] == records[-2:]
    mine = cli("tail", "--store", store, "--key", "b", "--type", "Refund", "--json").out.splitlines()
    assert [json.loads(line)["name"] for line in mine] == ["Refund"]
    assert cli("tail", "--store", store, "-n", "0").out == ""
    assert len(cli("tail", "parcel-events", "--store", store, "--from", "1d").out.splitlines()) == 8


def test_a_journey_is_a_tree(cli: Cli, store: str) -> None:
    first = json.loads(cli("tail", "--store", store, "--key", "b", "-n", "1000", "--json").out.splitlines()[0])
    said = cli("journey", first["id"], "--store", store, "--target", TARGET)
    lines = said.out.splitlines()
    assert said.code == 0 and lines[0] == f"journey {first['id']}" and "9 messages" in lines[1]
    words = [
        "Receive b",
        "Received b",
        "Bill b",
        "Billed b",
        "Ship b",
        "NotShipped b",
        "Refund b",
        "Refunded b",
        "Weighed b",
    ]
    found = [line for line in lines if re.search(r"\+\d+ ms \w+ b", line)]
    assert len(found) == len(words) and all(w in line for w, line in zip(words, found, strict=True)), said.out
    indents = [line.index("+") for line in found]
    assert indents[:8] == sorted(set(indents[:8])), "each is under its cause"
    assert "trips.Trip b failed" in lines[-1] and "no carrier takes it" in lines[-1]
    document = cli("journey", first["id"], "--store", store, "--json").json
    assert document["events"] == 9 and document["steps"][0]["then"][0]["entry"]["name"] == "Received"


def test_verify_tells_what_it_looked_at_and_what_it_could_not_show(cli: Cli, store: str) -> None:
    without = cli("verify", "--store", store)
    assert without.code == 0 and "not shown: I8" in without.out and "--target" in without.out
    whole = cli("verify", "--store", store, "--target", TARGET, "--json")
    assert whole.code == 0 and whole.json["sound"]
    assert {c["id"]: c["outcome"] for c in whole.json["checks"]}["I8"] == "holds"


def test_a_violation_is_exit_code_1(cli: Cli, own_store: str) -> None:
    import apsw

    c = apsw.Connection(own_store.removeprefix("sqlite:///"))
    c.execute("update board set status = 'lost' where parcel = 'a'")
    c.close()
    said = cli("verify", "--store", own_store, "--target", TARGET)
    assert said.code == 1 and "violated: I8" in said.out and "'lost'" in said.out


def test_a_graph_needs_only_the_program(cli: Cli) -> None:
    assert "outside   asks" in cli("graph", TARGET).out
    assert cli("graph", TARGET, "--mermaid").out.startswith("flowchart LR\n")
    edges = cli("graph", TARGET, "--json").json["edges"]
    assert {"source": "trips", "message": "Ship", "target": "carrier", "kind": "command"} in edges


# ---- doing ---------------------------------------------------------------------------------------------------------


def test_a_projection_is_reset_only_with_a_yes(cli: Cli, own_store: str) -> None:
    where = ("--store", own_store, "--target", TARGET)
    refused = cli("reset", "board.board", "--to", "start", *where)
    assert refused.code == 2 and "--yes" in refused.err
    planned = cli("reset", "board.board", "--to", "start", "--dry-run", *where)
    assert planned.code == 0 and "8 events heard again, tables board emptied" in planned.out
    assert cli("groups", "board.board", "--store", own_store, "--json").json[0]["lag"] == 0
    done = cli("reset", "board.board", "--to", "start", "--yes", "--json", *where)
    assert done.json["done"] and done.json["again"] == 8
    assert cli("groups", "board.board", "--store", own_store, "--json").json[0]["lag"] == 8


def test_pausing_resuming_redriving_and_removing_are_told(cli: Cli, own_store: str) -> None:
    where = ("--store", own_store)
    assert cli("pause", "scale", "--reason", "broken", *where).out == "paused scale on 4 partitions\n"
    assert "it was paused" in cli("pause", "scale", *where).out
    assert cli("resume", "scale", *where).out == "resumed scale on 4 partitions\n"
    assert cli("redrive", "scale", *where).code == 2, "which?"
    assert cli("redrive", "scale", "--key", "c", "--all", *where).code == 2
    assert "1 event of 1 key due now" in cli("redrive", "scale", "--key", "c", *where).out
    assert cli("redrive", "scale", "--all", "--drop", *where).code == 2, "not without a yes"
    assert "1 event of 1 key dropped" in cli("redrive", "scale", "--all", "--drop", "--yes", *where).out
    assert cli("groups", "remove", "scale", *where).code == 2
    assert cli("groups", "remove", "scale", "--yes", *where).out == "removed scale, which had 4 partitions\n"
    assert "scale" not in [g["group"] for g in cli("groups", *where, "--json").json]


def test_events_and_commands_are_told_by_hand(cli: Cli, own_store: str) -> None:
    where = ("--store", own_store)
    assert cli("publish", TARGET, "Received", '{"parcel": "z", "weight": 1}', *where).out.startswith("kept Received\n")
    made = cli("publish", TARGET, "Receive", '{"parcel": "y", "weight": 1}', *where, "--json")
    assert made.json["name"] == "Receive" and len(made.json["correlation"]) == 36
    late = cli("publish", TARGET, "Receive", '{"parcel": "x", "weight": 1}', "--call", "--within", "0.05", *where)
    assert late.code == 1 and "no outcome after 0.05 s" in late.err
    assert cli("publish", TARGET, "Received", '{"parcel": "x", "weight": 1}', "--id", "i", *where).code == 2
    assert cli("publish", TARGET, "Received", "-", "--call", *where).code == 2
    assert cli("publish", TARGET, "Received", "{}", "--store", "memory:").code == 2
