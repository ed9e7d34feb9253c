"""What is tracked speaks of the project alone: no folder of the machine that it was written on, no host of an index."""

from __future__ import annotations

import re

from tests.architecture.sources import files, name

FOLDERS = ["work", "root", "home", "Users", "mnt"]
HOSTS = [  # in parts, so that this file passes its own test
    ("pypi", "org"),
    ("pythonhosted", "org"),
    ("npmjs", "org"),
    ("npmjs", "com"),
    ("crates", "io"),
    ("proxy.golang", "org"),
    ("maven", "org"),
    ("maven.apache", "org"),
    ("debian", "org"),
]
MACHINE = re.compile(rf"(?<![\w.~*\-/}}])/(?:{'|'.join(FOLDERS)})/[\w.-]")
INDEX = re.compile("|".join(re.escape(".".join(parts)) for parts in HOSTS) + r"|--(?:extra-)?index-url|--find-links")


def texts() -> list[tuple[str, str]]:
    found = []
    for path in files():
        try:
            found.append((name(path), path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:  # a picture
            continue
    return found


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path}:{number}: {line.strip()[:100]}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_names_a_folder_of_one_machine() -> None:
    assert not (found := lines_with(MACHINE)), "\n".join(found)


def test_no_file_names_an_index_or_its_host() -> None:
    found = [line for line in lines_with(INDEX) if not line.startswith(("tests/architecture/", "requirements/pin:"))]
    assert not found, "\n".join(found)
