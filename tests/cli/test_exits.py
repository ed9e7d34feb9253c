"""Exit codes, and that whatever is wrong is one line and a hint."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, TARGET, Cli, Start
from tidings.cli import exits
from tidings.cli.app import COMMANDS

WRONG: list[tuple[list[str], str]] = [
    (["groups"], "which store?"),
    (["groups", "--store", "sqlite:///nope.db"], "there is no file"),
    (["groups", "--store", "sqlite://nope.db"], "names no file"),
    (["groups", "--store", "oracle:x"], "no engine for"),
    (["groups", "--store", "memory:"], "lives in the process"),
    (["groups", "--store", "sqlite:///."], "is a folder"),
    (["groups", "--nope"], "Unknown option"),
    (["grups"], 'Did you mean "groups"'),
    (["-"], "Unknown command"),
    (["groups", "\udcff"], "which store?"),
    (["journey"], "id"),
    (["reset", "g"], "to"),
    (["reset", "g", "--to", "yesterday"], "is no place"),
    (["reset", "g", "--to", "start", "--effects", "maybe"], "maybe"),
    (["reset", "g", "--to", "start", "--store", "sqlite:///a.db"], "which system?"),
    (["sagas", "--status", "sleeping"], "sleeping"),
    (["tail", "--from", "start", "--last", "3", "--store", "sqlite:///a.db"], "--last"),
    (["tail", "--last", "many"], "many"),
    (["graph"], "which system?"),
    (["graph", "shop"], "names no system"),
    (["graph", "no_such_module:x"], "there is no module"),
    (["run"], "which system?"),
    (["run", TARGET, "--only", "nobody"], "is no service"),
    (["run", TARGET, "--workers", "0"], "at least"),
    (["run", TARGET, "--workers", "2", "--store", "memory:"], "of one process"),
    (["run", TARGET, "--health", "here"], "is no address"),
    (["run", TARGET, "--health", "127.0.0.1:99999"], "is no address"),
    (["run", TARGET, "--log-level", "loud"], "loud"),
    (["publish", TARGET, "Nope", "{}", "--store", "sqlite:///new.db"], "knows no message"),
    (["publish", TARGET], "type"),
]


@pytest.mark.parametrize(
    ("arguments", "words"), WRONG, ids=[" ".join(w[0]).encode("ascii", "replace").decode() for w in WRONG]
)
def test_wrong_use_is_one_line_a_hint_and_exit_code_2(arguments: list[str], words: str, cli: Cli) -> None:
    said = cli(*arguments)
    lines = said.err.splitlines()
    assert said.code == 2 and said.out == ""
    assert words.lower() in lines[0].lower() and lines[0].startswith("tidings: "), said.err
    assert len(lines) == 2 and lines[1].startswith("  hint: "), said.err


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("TIDINGS_STROE", "sqlite:///a.db", "did you mean 'store'"),
        ("TIDINGS_LEASE", "soon", "TIDINGS"),
        ("TIDINGS_LEASE", "-1", "more than 0"),
        ("TIDINGS_LEASE", "nan", "more than 0"),
        ("TIDINGS_TARGET", "nope", "names no system"),
        ("TIDINGS_CONFIG", "no/such.toml", "there is no"),
    ],
)
def test_a_wrong_setting_is_named_with_its_source(
    name: str, value: str, words: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    said = cli("groups")
    assert said.code == 2 and (words in said.err or "the environment" in said.err), said.err


def test_a_setting_in_a_file_is_checked_too(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "tidings.toml").write_text("stroe = 1\n")
    assert "did you mean 'store'" in cli("groups").err
    (tmp_path / "tidings.toml").write_text("store = \n")
    assert "cannot be read" in cli("groups").err


def test_settings_choose_store_and_system(cli: Cli, tmp_path: Path, store: str) -> None:
    (tmp_path / "tidings.toml").write_text(f'store = "{store}"\ntarget = "{TARGET}"\n')
    assert cli("verify", "--json").json["checks"][2]["outcome"] == "holds"
    assert cli("graph").code == 0


def test_the_store_is_the_file_named_after_the_system(cli: Cli, tmp_path: Path, own_store: str) -> None:
    assert (tmp_path / "depot.db").exists()
    assert len(cli("groups", "--target", TARGET, "--json").json) == 6


def test_no_secret_is_echoed(cli: Cli) -> None:
    for arguments in (
        ["groups", "--store", "postgresql://me:canary@host/shop"],
        ["run", TARGET, "--store", "postgresql://me:canary@host/shop"],
        ["publish", TARGET, "Received", "{}", "--store", "postgresql://me:canary@host/shop"],
    ):
        said = cli(*arguments)
        assert said.code == 2 and "canary" not in said.err + said.out


def test_every_command_has_help(cli: Cli) -> None:
    for place, _, help in COMMANDS:
        said = cli(place.partition(":")[2], "--help")
        assert said.code == 0 and help in " ".join(said.out.split()), said.out
    assert all(place.partition(":")[2] in cli("--help").out for place, _, _ in COMMANDS)
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*|unknown", cli("--version").out.strip())


def test_a_bug_of_ours_is_told_in_full(
    cli: Cli, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall(_: object) -> int:
        raise ZeroDivisionError("\x1b[31m")

    monkeypatch.setattr("tidings.cli.graph.ops.load", fall)
    assert exits.call(["graph", TARGET]) == exits.BUG
    said = capsys.readouterr().err
    assert "ZeroDivisionError: \\x1b[31m" in said and "bug of tidings" in said


# ---- as processes --------------------------------------------------------------------------------------------------


def test_a_reader_that_goes_away_ends_a_command_quietly(start: Start, own_store: str) -> None:
    tail = start("tail", "--follow", "--from", "start", "--json", "--store", own_store)
    assert tail.line().startswith("{")
    assert tail.process.stdout is not None and tail.process.stderr is not None
    tail.process.stdout.close()
    nudge = start("publish", TARGET, "Received", '{"parcel": "n", "weight": 1}', "--store", own_store)
    assert nudge.end().code == 0, "a record that nobody will read"
    assert tail.process.wait(timeout=60) == 0
    assert tail.process.stderr.read() == ""


@pytest.mark.parametrize("look", [("topics",), ("groups", "--json"), ("--help",), ("verify",)])
def test_a_pipe_that_is_closed_from_the_start_is_no_error(look: tuple[str, ...], store: str, tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    places = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    where = () if look == ("--help",) else ("--store", store)
    made = subprocess.run(
        [sys.executable, "-m", "tidings", *look, *where],
        stdout=write, stderr=subprocess.PIPE, cwd=tmp_path, env={**os.environ, "PYTHONPATH": places}, check=False,
    )  # fmt: skip
    os.close(write)
    assert (made.returncode, made.stderr) == (0, b"")


def test_standard_output_may_be_closed(store: str, tmp_path: Path) -> None:
    places = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    made = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" -m tidings groups --store "$1" >&-', sys.executable, store],
        stderr=subprocess.PIPE, cwd=tmp_path, env={**os.environ, "PYTHONPATH": places}, check=False,
    )  # fmt: skip
    assert (made.returncode, made.stderr) == (0, b"")


def test_ctrl_c_while_following_is_130(start: Start, store: str) -> None:
    tail = start("tail", "--follow", "-n", "1", "--store", store)
    assert tail.line()
    tail.signal(signal.SIGINT)
    said = tail.end()
    assert (said.code, said.err) == (130, "")


def test_ctrl_c_while_the_program_is_imported_is_130(start: Start, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import sys, threading\nprint('importing', file=sys.stderr, flush=True)\nthreading.Event().wait()\n"
    )
    run = start("run", "slow:x")
    run.until("importing")
    run.signal(signal.SIGINT)
    said = run.end()
    assert said.code == 130 and "Traceback" not in said.err


@pytest.mark.parametrize(
    "locale", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}], ids=["C", "ascii"]
)
def test_any_locale_will_do(locale: dict[str, str], start: Start, store: str) -> None:
    for look in (("verify",), ("parked",), ("topics",)):
        said = start(*look, "--store", store, **locale).end()
        assert (said.code, said.err) == (0, "") and said.out
        if "PYTHONIOENCODING" in locale:
            assert said.out.isascii()
