"""Workers as processes: what a signal does, that nothing is lost by it, and what they say about themselves."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import TARGET, Running, Start
from tests.ops.conftest import until
from tidings import ops

BUSY = "tests.cli.busy:busy"
LETTERS = 3000


def lines_of(count: int) -> str:
    return "".join(json.dumps({"to": f"k{n % 40}", "number": n}) + "\n" for n in range(count))


def wait_for(url: str, look: Callable[[list[ops.GroupState]], bool]) -> list[ops.GroupState]:
    """Look at a store that others work on, after every commit of theirs."""

    async def go() -> list[ops.GroupState]:
        async with ops.look(url) as engine:
            found: list[ops.GroupState] = []

            async def there() -> bool:
                found[:] = await ops.groups(engine)
                return look(found)

            await asyncio.wait_for(until(there, engine), 60)
            return found

    return asyncio.run(go())


def handled_some(states: list[ops.GroupState]) -> bool:
    return any(g.group == "letters" and g.counts.get("handled", 0) > 0 for g in states)


def all_handled(states: list[ops.GroupState]) -> bool:
    names = {g.group for g in states}
    return {"letters", "boxes"} <= names and all(not g.lag and not g.held for g in states)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_h40_a_stop_under_load_loses_nothing_and_repeats_nothing(
    number: signal.Signals, start: Start, tmp_path: Path
) -> None:
    url, file = f"sqlite:///{tmp_path / 'busy.db'}", tmp_path / "letters"
    told = start("publish", BUSY, "Letter", "--store", url).end(lines_of(LETTERS))
    assert told.code == 0 and "kept 3,000 messages" in told.out
    worker = start("run", BUSY, "--store", url, LETTERS=str(file))
    worker.until("ready: busy")
    wait_for(url, handled_some)
    worker.signal(number)
    said = worker.end()
    assert said.code == {signal.SIGTERM: 0, signal.SIGINT: 130}[number], said.err
    assert "draining" in said.err and said.err.rstrip().endswith("stopped"), said.err
    before = len(file.read_text().splitlines())
    again = start("run", BUSY, "--store", url, LETTERS=str(file))
    wait_for(url, all_handled)
    again.signal(signal.SIGTERM)
    assert again.end().code == 0
    sent = Counter(file.read_text().splitlines())
    assert set(sent) == {str(n) for n in range(LETTERS)}, "none is lost"
    assert sum(sent.values()) == LETTERS, f"none is sent twice: a drain is no crash ({before} were sent before it)"
    verdict = start("verify", "--store", url, "--target", BUSY, "--json", LETTERS=str(file)).end()
    assert verdict.code == 0 and verdict.json["sound"]


def test_a_second_signal_cuts(start: Start, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'busy.db'}"
    start("publish", BUSY, "Letter", '{"to": "nobody", "number": 1}', "--store", url).end()
    worker = start("run", BUSY, "--store", url, LETTERS=str(tmp_path / "letters"), TIDINGS_DRAIN="600")
    worker.until("in hand")
    worker.signal(signal.SIGTERM)
    worker.until("draining")
    worker.signal(signal.SIGTERM)
    said = worker.end()
    assert said.code == 128 + signal.SIGTERM and "cut: what was not finished is done again" in said.err


def test_a_drain_ends_though_a_handler_hangs_and_says_what_was_cut(start: Start, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'busy.db'}"
    start("publish", BUSY, "Letter", '{"to": "nobody", "number": 1}', "--store", url).end()
    worker = start("run", BUSY, "--store", url, LETTERS=str(tmp_path / "letters"), TIDINGS_DRAIN="0.2")
    worker.until("in hand")
    worker.signal(signal.SIGTERM)
    said = worker.end()
    assert said.code == 0 and "stopped" in said.err
    (stuck,) = [g for g in wait_for(url, lambda _: True) if g.group == "stuck"]
    assert stuck.lag + stuck.held == 1, "it was not finished, so it is there for the next owner"


def test_only_the_named_services_run(start: Start, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'busy.db'}"
    worker = start("run", BUSY, "--only", "boxes", "--store", url)
    worker.until("ready: busy")
    assert [g.group for g in wait_for(url, bool)] == ["boxes"]
    worker.signal(signal.SIGTERM)
    assert worker.end().code == 0


def test_logs_are_one_json_object_a_line(start: Start, tmp_path: Path) -> None:
    worker = start("run", TARGET, "--store", f"sqlite:///{tmp_path / 'a.db'}", "--log-format", "json")
    worker.until("ready")
    worker.signal(signal.SIGTERM)
    said = worker.end()
    records = [json.loads(line) for line in said.err.splitlines()]
    assert {"time", "level", "logger", "pid", "message"} <= records[0].keys()
    assert [r["message"].split(":")[0] for r in records][-2:] == [records[-2]["message"].split(":")[0], "stopped"]


def test_a_store_that_cannot_be_opened_ends_a_worker_with_2(start: Start, tmp_path: Path) -> None:
    (tmp_path / "junk.db").write_text("hello, I am no database at all")
    said = start("run", TARGET, "--store", f"sqlite:///{tmp_path / 'junk.db'}").end()
    assert said.code == 2 and "not an SQLite database" in said.err and "Traceback" not in said.err


# ---- health --------------------------------------------------------------------------------------------------------


def ask(line: str, port: int) -> tuple[int, str]:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as c:
        c.sendall(line.encode() + b"\r\nHost: x\r\n\r\n")
        answer = b""
        while more := c.recv(65536):
            answer += more
    head, _, body = answer.decode().partition("\r\n\r\n")
    return int(head.split()[1]), body


def port_of(worker: Running) -> int:
    line = worker.until("health at")
    found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
    assert found is not None, "loopback is the default"
    return int(found[1])


def test_a_worker_tells_whether_it_lives_and_is_ready(start: Start, tmp_path: Path) -> None:
    url, letters = f"sqlite:///{tmp_path / 'a.db'}", str(tmp_path / "letters")
    worker = start("run", BUSY, "--store", url, "--health", "0", LETTERS=letters, TIDINGS_DRAIN="600")
    port = port_of(worker)
    assert ask("GET /livez HTTP/1.1", port) == (200, '{"live": true}\n')
    worker.until("ready")
    assert ask("GET /readyz?verbose HTTP/1.1", port) == (200, '{"ready": true, "missing": []}\n')
    assert ask("POST /readyz HTTP/1.1", port)[0] == 405
    assert ask("HEAD /livez HTTP/1.1", port)[0] == 405
    assert ask("GET / HTTP/1.1", port)[0] == 404
    assert ask("GET /../etc/passwd HTTP/1.1", port)[0] == 404
    assert ask("nonsense", port)[0] == 400
    with socket.create_connection(("127.0.0.1", port), timeout=30) as c:
        c.sendall(b"GET /livez HTTP/1.1\r\nX: " + b"x" * 100_000)
        try:
            assert c.recv(100) == b"", "a request without an end gets no answer"
        except ConnectionResetError:
            pass
    start("publish", BUSY, "Letter", '{"to": "nobody", "number": 1}', "--store", url).end()
    worker.until("in hand")
    worker.signal(signal.SIGTERM)
    worker.until("draining")
    assert ask("GET /livez HTTP/1.1", port)[0] == 200
    status, body = ask("GET /readyz HTTP/1.1", port)
    assert status == 503 and "draining" in json.loads(body)["missing"]


def test_a_port_in_use_is_one_line_and_2(start: Start, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = start("run", TARGET, "--store", f"sqlite:///{tmp_path / 'a.db'}", "--health", str(port)).end()
    assert said.code == 2 and "cannot be listened on" in said.err and "Traceback" not in said.err


# ---- several processes ---------------------------------------------------------------------------------------------


def test_several_workers_share_the_work_and_one_that_dies_is_replaced(start: Start, tmp_path: Path) -> None:
    url, file = f"sqlite:///{tmp_path / 'busy.db'}", tmp_path / "letters"
    arguments = ("--workers", "2", "--only", "letters,boxes", "--store", url)
    workers = start("run", BUSY, *arguments, LETTERS=str(file), TIDINGS_HEALTH=":0")
    port = port_of(workers)
    pids = [pid_of(workers.until("ready: busy")) for _ in (1, 2)]
    assert len(set(pids)) == 2
    assert ask("GET /readyz HTTP/1.1", port)[0] == 200
    start("publish", BUSY, "Letter", "--store", url).end(lines_of(500))
    wait_for(url, lambda states: all_handled(states) and all(len(g.members) == 2 for g in states))
    os.kill(pids[0], signal.SIGKILL)
    workers.until("ended (killed by SIGKILL), started again")
    assert pid_of(workers.until("ready: busy")) not in pids
    start("publish", BUSY, "Letter", "--store", url).end(lines_of(500))
    wait_for(url, all_handled)
    workers.signal(signal.SIGINT)
    said = workers.end()
    assert said.code == 130 and said.err.rstrip().endswith("all workers have ended"), said.err
    assert set(file.read_text().splitlines()) == {str(n) for n in range(500)}
    assert not [m for g in wait_for(url, lambda _: True) for m in g.members if m.alive]


def test_workers_do_not_outlive_the_one_that_started_them(start: Start, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'busy.db'}"
    workers = start("run", BUSY, "--workers", "2", "--only", "boxes", "--store", url)
    for _ in (1, 2):
        workers.until("ready: busy")
    workers.signal(signal.SIGKILL)
    said = workers.end()
    assert said.err.count("stopped") == 2, said.err


def test_workers_that_cannot_begin_are_not_begun_again(start: Start, tmp_path: Path) -> None:
    (tmp_path / "junk.db").write_text("hello, I am no database at all")
    said = start("run", BUSY, "--workers", "2", "--store", f"sqlite:///{tmp_path / 'junk.db'}").end()
    assert said.code == 2 and "not an SQLite database" in said.err and "started again" not in said.err


def pid_of(line: str) -> int:
    found = re.search(r"\[(\d+)\]", line)
    assert found is not None, line
    return int(found[1])


# ---- a writer that stands still ------------------------------------------------------------------------------------


def test_doctor_names_the_process_that_was_stopped_inside_its_commit(start: Start, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'busy.db'}"
    start("publish", BUSY, "Letter", '{"to": "a", "number": 1}', "--store", url).end()
    worker = start("run", BUSY, "--only", "boxes", "--store", url, STOP_AT="member.decided")
    assert stopped(worker.process.pid)
    calm = start("doctor", "--store", url, "--json").end()
    assert {f["about"]: f["value"] for f in calm.json["findings"]}["write lock"] == "free", "decided is not begun"
    worker.process.kill()
    worker = start("run", BUSY, "--only", "boxes", "--store", url, STOP_AT="sqlite.written")
    assert stopped(worker.process.pid)
    said = start("doctor", "--store", url, "--json", "--check").end()
    lock = next(f for f in said.json["findings"] if f["about"] == "write lock")
    assert (said.code, lock["health"]) == (1, "act"), "and the doctor itself does not wait for the lock"
    assert f"process {worker.process.pid}, which is stopped" in lock["value"] and "kill -CONT" in lock["hint"]
    assert start("groups", "--store", url).end().code == 0, "reading goes on"


def stopped(pid: int) -> bool:
    """Wait until the process is stopped by a signal: its parent hears of it."""
    _, status = os.waitpid(pid, os.WUNTRACED)
    return os.WIFSTOPPED(status)
