"""The page of the architecture and the package say the same: whoever opens either finds the other's names."""

from __future__ import annotations

import re

import pytest

from tests.architecture.sources import PACKAGE, ROOT, under

PAGE = ROOT / "docs" / "explanation" / "architecture.md"
NAMED = re.compile(r"`((?:[a-z_]+/)*[a-z_]+\.py)`")
FILE_BY_FILE = ("event", "engine", "delivery", "domain")  # the page tells what each file of these is for


def modules() -> set[str]:
    """Every module, as a path below src/tidings."""
    return {path.relative_to(PACKAGE).as_posix() for path in under("src/tidings") if not path.name.startswith("__")}


def parts() -> set[str]:
    """What lies directly in the package, and the packages in its floors that are told file by file."""
    tops = {module.partition("/")[0].removesuffix(".py") for module in modules()}
    return tops | {module.split("/")[1] for module in modules() if module.count("/") > 1 and told(module)}


def told(module: str) -> bool:
    return module.partition("/")[0] in FILE_BY_FILE


def test_every_part_of_the_package_is_named() -> None:
    words = set(re.findall(r"[a-z_]+", PAGE.read_text(encoding="utf-8")))
    assert not (missing := parts() - words), f"{PAGE.name} does not name {sorted(missing)}"


@pytest.mark.parametrize("floor", FILE_BY_FILE)
def test_every_file_of_a_floor_is_told(floor: str) -> None:
    named = {name.rpartition("/")[2] for name in NAMED.findall(PAGE.read_text(encoding="utf-8"))}
    files = {module.split("/")[1] for module in modules() if module.startswith(f"{floor}/") and module.count("/") == 1}
    assert not (missing := files - named), f"{PAGE.name} does not say what is in {sorted(missing)}"


def test_every_file_that_is_told_exists() -> None:
    known = modules()
    known |= {module.rpartition("/")[2] for module in known}
    assert not (gone := set(NAMED.findall(PAGE.read_text(encoding="utf-8"))) - known), f"no such module: {sorted(gone)}"
