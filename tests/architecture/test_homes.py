"""Each third-party package has one home, so that a change of its next version is met in one place."""

from __future__ import annotations

import sys
import tomllib

from tests.architecture.sources import PACKAGE, ROOT, imported, module, nodes

HOMES = {
    "msgspec": ("tidings",),
    "typing_extensions": ("tidings",),
    "apsw": ("tidings.engine.sqlite",),
    "psycopg": ("tidings.engine.postgres",),
    "cyclopts": ("tidings.cli",),
    "rich": ("tidings.cli",),
}


def within(importer: str, homes: tuple[str, ...]) -> bool:
    return any(importer == home or importer.startswith(f"{home}.") for home in homes)


def test_third_party_packages_are_imported_in_their_homes() -> None:
    strangers = []
    for place, node in nodes("src/tidings"):
        importer = module(ROOT / place.partition(":")[0])
        for name in imported(node):
            top = name.partition(".")[0]
            if top == "tidings" or top in sys.stdlib_module_names:
                continue
            if not within(importer, HOMES.get(top, ())):
                strangers.append(f"{place} imports {top}; its home: {', '.join(HOMES.get(top, ['none is declared']))}")
    assert not strangers, "\n".join(strangers)


def test_every_dependency_has_a_home_and_every_home_a_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = sum(project["optional-dependencies"].values(), project["dependencies"])
    declared = {text.partition(">=")[0].partition("[")[0].strip().replace("-", "_") for text in wanted}
    assert declared == set(HOMES)


def test_the_package_says_that_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()
