"""Pages say what is so: code blocks run, links lead somewhere, named tests exist, the reference is as the code is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]+)")


def blocks(page: Path, kind: str) -> list[str]:
    return [body for word, body in BLOCK.findall(page.read_text("utf-8")) if word == kind]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=name)
def test_the_code_of_a_page_runs_and_prints_what_it_shows(page: Path, tmp_path: Path) -> None:
    """The blocks of a page are one program; a `text` block behind one is what it prints, `...` stands for anything."""
    (tmp_path / "page.py").write_text("\n".join(blocks(page, "python")))
    command, env = [sys.executable, "page.py"], {**os.environ, "PYTHONPATH": str(ROOT / "examples")}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    for shown in shown_outputs(page):
        assert matches(shown, done.stdout), f"the page shows\n{shown}\nand the program prints\n{done.stdout}"


def shown_outputs(page: Path) -> Iterator[str]:
    """`output` blocks, and the first `text` block of the README's first screen."""
    yield from blocks(page, "output")
    if page.name == "README.md" and page.parent == ROOT:
        yield blocks(page, "text")[0]


def matches(shown: str, printed: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in shown.strip().split("..."))
    return re.search(pattern, printed, re.DOTALL) is not None


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_something_that_is_there(page: Path) -> None:
    missing = [link for link in LINK.findall(page.read_text("utf-8")) if not (page.parent / link).exists()]
    assert not missing


def test_the_readme_shows_the_example_that_is_shipped() -> None:
    shown = blocks(ROOT / "README.md", "python")[0]
    shipped = (ROOT / "examples" / "hello.py").read_text()
    body = shipped.split('"""', 2)[2].strip()
    body = body.replace('if __name__ == "__main__":\n    asyncio.run(main())', "asyncio.run(main())")
    assert shown.strip() == body


def test_every_test_named_in_the_guarantees_exists() -> None:
    page = (ROOT / "docs" / "explanation" / "guarantees.md").read_text("utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    sources = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "src" / "tidings" / "testing" / "conformance").rglob("*.py")]
    known = set(re.findall(r"def (test_\w+)", "\n".join(p.read_text("utf-8") for p in sources)))
    assert named
    assert named <= known, sorted(named - known)


def test_the_reference_is_as_the_code_is() -> None:
    command = [sys.executable, str(ROOT / "tools" / "reference.py"), "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
