"""What is installed is what was tested: pinned and hashed, and the wheel holds more than the .py files."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGE, ROOT, files

PINS = sorted((ROOT / "requirements").glob("*.txt"))
HASHES = r"(?P<hashes>(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)"
PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^\s;]+)(?: ; [^\\]+)? \\\n" + HASHES)


def pins(path: Path) -> dict[str, str]:
    """{name: version}; asserts that the file holds nothing else than pins with hashes, and comments."""
    text, found = path.read_text(encoding="utf-8"), {}
    while text:
        if match := PIN.match(text):
            found[match["name"]] = match["version"]
            text = text[match.end() :]
        else:
            line, _, text = text.partition("\n")
            assert not line or line.lstrip().startswith("#"), f"{path.name}: neither a pin nor a comment: {line}"
    return found


@pytest.mark.parametrize("path", PINS, ids=lambda path: path.name)
def test_everything_installed_is_pinned_and_hashed(path: Path) -> None:
    assert pins(path)


def test_the_tests_run_with_the_versions_that_users_of_the_pins_get() -> None:
    runtime, test = pins(ROOT / "requirements/runtime.txt"), pins(ROOT / "requirements/test.txt")
    assert runtime.items() <= test.items()


def test_the_pinned_runtime_is_what_the_project_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {text.partition(">=")[0].strip() for text in project["dependencies"]}
    assert names <= pins(ROOT / "requirements/runtime.txt").keys()


def test_the_wheel_holds_all_of_the_package(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    ours = {path.relative_to(PACKAGE.parent).as_posix() for path in files() if path.is_relative_to(PACKAGE)}
    assert ours <= held
    assert any(entry.endswith("licenses/LICENSE") for entry in held)
    assert any(entry.endswith("entry_points.txt") for entry in held)
