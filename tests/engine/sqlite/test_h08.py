"""H08: the commit succeeded and its answer was lost. Whoever hands the same unit in again gets the first answer."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.engine.sqlite.kit import all_data, child, commit, fresh
from tests.engine.sqlite.worker import marked_unit, whole_unit
from tidings.engine.unit import Committed, Conflict

pytestmark = [pytest.mark.anyio, pytest.mark.crash]


async def test_h08_a_reply_that_was_dropped_after_the_commit_is_given_again(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with fresh(path) as engine:
        async with child("commits", path, crash="sqlite.committed:1") as other:
            assert await other.said() == "committing"
            assert await other.ended() == -signal.SIGKILL, "it died with the answer in its hands"
        answer = await commit(engine, whole_unit())
        assert isinstance(answer, Committed) and answer.again
        assert json.loads(answer.receipt) == [["t", 2, [0, 1]]], "the places of then"
        assert await all_data(engine) == [b"1", b"2"]


async def test_h08_a_mark_tells_that_it_had_happened(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with fresh(path) as engine:
        async with child("marks", path, crash="sqlite.committed:1") as other:
            assert await other.said() == "committing"
            assert await other.ended() == -signal.SIGKILL
        answer = await commit(engine, marked_unit())
        assert isinstance(answer, Conflict) and answer.seen == {b"id": b"memo"}
        memo = await engine.store.memo("call", b"id")
        assert memo is not None and json.loads(memo.receipt) == [["t", 0, [0]]]
        assert await all_data(engine) == [b"7"]


async def test_h08_what_had_not_happened_happens_now(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    async with fresh(path) as engine:
        async with child("commits", path, crash="sqlite.written:1") as other:
            assert await other.said() == "committing"
            assert await other.ended() == -signal.SIGKILL
        answer = await commit(engine, whole_unit())
        assert isinstance(answer, Committed) and not answer.again
        again = await commit(engine, whole_unit())
        assert isinstance(again, Committed) and again.again and again.receipt == answer.receipt
