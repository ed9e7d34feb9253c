from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.ops.conftest import Opener, opener
from tests.ops.depot import Received, depot
from tidings import ops, settings
from tidings.clock import seconds
from tidings.engine import open_engine
from tidings.errors import Refused, Rejected, SettingsError, Unavailable
from tidings.settings import Settings

pytestmark = pytest.mark.anyio


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def test_a_system_is_found_by_its_name(here: Path) -> None:
    assert ops.load("tests.ops.depot:depot") is depot
    (here / "near.py").write_text("from tests.ops.depot import depot\nclass A:\n    inner = depot\n")
    assert ops.load("near:A.inner") is depot, "in the working directory, behind an attribute"


MODULES = {
    "no_package": "import a_package_that_is_not_there\n",
    "raises": "raise ValueError('the moon\\nis full')\n",
    "leaves": "raise SystemExit(3)\n",
    "broken": "def (:\n",
    "wrong_definition": "from tidings import Event, Topic\nclass A(Event, topic=Topic('t')):\n    a: int\n",
    "nothing": "x = 1\n",
}


@pytest.mark.parametrize(
    ("target", "words", "hint"),
    [
        ("shop", "names no system", "module:attribute"),
        (":shop", "names no system", "module:attribute"),
        ("../x:y", "names no system", "module:attribute"),
        ("a_module_that_is_not_there:x", "no module 'a_module_that_is_not_there'", "module:attribute"),
        ("tests.ops.nope:x", "no module 'tests.ops.nope'", "module:attribute"),
        ("tests.ops.depot:dpot", "has no 'dpot'", "did you mean 'depot'"),
        ("tests.ops.depot:Parcel", "is no System, but the class Parcel", "System("),
        ("no_package:x", "a_package_that_is_not_there", "install"),
        ("raises:x", "ValueError: the moon", "raises.py:1"),
        ("leaves:x", "SystemExit", "leaves.py:1"),
        ("broken:x", "SyntaxError", ""),
        ("wrong_definition:x", "has no key", "Key"),
        ("nothing:x", "is no System", "System("),
        ("nothing:y", "has no 'y'", "no System in it"),
    ],
)
def test_what_is_wrong_with_a_target_is_one_line_and_a_hint(target: str, words: str, hint: str, here: Path) -> None:
    for name, text in MODULES.items():
        (here / f"{name}.py").write_text(text)
    with pytest.raises(SettingsError) as refused:
        ops.load(target)
    assert words in refused.value.message and "\n" not in refused.value.message
    assert hint in refused.value.hint
    for name in MODULES:
        sys.modules.pop(name, None)


def test_a_group_hears_what_its_handlers_and_sagas_take() -> None:
    heard = ops.hears(depot.program)
    assert heard["trips"] >= {"Received", "Billed", "Refunded", "Shipped", "NotShipped", "tidings.Rejection"}
    assert heard["scale"] == {"Received"}


# ---- looking at a store --------------------------------------------------------------------------------------------


async def test_a_look_never_makes_a_store(tmp_path: Path) -> None:
    path = tmp_path / "no.db"
    with pytest.raises(Unavailable, match="there is no file"):
        async with ops.look(f"sqlite:///{path}"):
            pass
    assert list(tmp_path.iterdir()) == []


async def test_a_file_of_somebody_else_is_left_as_it_is(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "theirs.db"
    theirs = sqlite3.connect(path)
    theirs.execute("create table t(a)")
    theirs.commit()
    theirs.close()
    before = path.read_bytes()
    with pytest.raises(Refused):
        async with ops.look(f"sqlite:///{path}"):
            pass
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["theirs.db"]


async def test_a_look_works_while_others_write(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'depot.db'}"
    async with opener(url)() as running, ops.look(url) as engine:
        await running.receive("a", 1)
        await running.client.wait_idle()
        assert (await ops.groups(engine, "board.board"))[0].counts["handled"] == 2
        assert await ops.groups(engine, "board.board") == await ops.groups(running.engine, "board.board")


@pytest.mark.parametrize(
    ("settings", "system", "url"),
    [
        (Settings(store="sqlite:///a.db"), "shop", "sqlite:///a.db"),
        (Settings(), "shop", "sqlite:///shop.db"),
    ],
)
def test_the_store_is_what_is_set_or_the_file_of_the_system(settings: Settings, system: str, url: str) -> None:
    assert ops.store_of(settings, system) == url


@pytest.mark.parametrize("settings", [Settings(), Settings(store="memory:"), Settings(store="memory:split")])
def test_without_a_store_to_look_at_there_is_a_hint(settings: Settings) -> None:
    with pytest.raises(SettingsError) as refused:
        ops.store_of(settings)
    assert "sqlite:///" in refused.value.hint


# ---- telling -------------------------------------------------------------------------------------------------------


async def test_messages_are_told_by_name(url: str, opened: Opener) -> None:
    async with opened() as running:
        desk = ops.Publisher(running.runtime)
        assert desk.is_command("Receive") and not desk.is_command("Received")
        event = desk.read("Received", b'{"parcel": "a", "weight": 3}')
        assert event == Received(parcel="a", weight=3)
        told = await desk.publish([event])
        assert told.name == "Received" and told.outcome is None
        made = await desk.call(desk.read("Receive", b'{"parcel": "b", "weight": 3}'), seconds(10))
        assert (made.outcome, bytes(made.data)) == ("Received", b'{"parcel":"b","weight":3}')
        again = [
            await desk.call(desk.read("Receive", b'{"parcel": "c", "weight": 1}'), seconds(10), "once") for _ in (1, 2)
        ]
        assert again[0] == again[1]
        with pytest.raises(Rejected, match="is here already"):
            await desk.call(desk.read("Receive", b'{"parcel": "b", "weight": 3}'), seconds(10))
        with pytest.raises(SettingsError, match="nobody answers"):
            await desk.call(event, seconds(1))


@pytest.mark.parametrize(
    ("name", "body", "words", "hint"),
    [
        ("Recieve", b"{}", "knows no message", "did you mean 'Receive'"),
        ("Receive", b"{}", "missing required field", '"weight": <int>'),
        ("Receive", b"[]", "Expected `object`", "Receive is {"),
        ("Receive", b"nope", "malformed", "Receive is {"),
        ("Receive", b"", "truncated", "Receive is {"),
        ("Receive", b"\xff", "", "Receive is {"),
        ("Receive", b"[" * 100_000, "", "Receive is {"),
        ("Receive", b'{"parcel": "a", "weight": "much"}', "$.weight", "Receive is {"),
        ("Receive", b'{"parcel": "a", "weight": 1, "wieght": 2}', "no field 'wieght'", "did you mean 'weight'"),
    ],
)
async def test_a_wrong_message_is_told_with_what_it_should_be(
    opened: Opener, name: str, body: bytes, words: str, hint: str
) -> None:
    async with opened(working=False) as depot:
        with pytest.raises(SettingsError) as refused:
            ops.Publisher(depot.runtime).read(name, body)
        assert words in refused.value.message and hint in refused.value.hint


async def test_a_publisher_may_be_the_first_to_open_a_store(tmp_path: Path) -> None:
    merged = settings.load({"store": f"sqlite:///{tmp_path / 'new.db'}"}, {})
    async with ops.publisher(depot, merged) as desk:
        await desk.publish([desk.read("Received", b'{"parcel": "a", "weight": 3}')])
    engine = await open_engine(f"sqlite:///{tmp_path / 'new.db'}")
    assert [e.name for e in await ops.last(engine, ["parcel-events"], 5)] == ["Received"]
    await engine.close()
