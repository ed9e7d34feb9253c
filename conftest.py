"""What holds for every test of the repository: a skip has a declared reason.

`declared_skips` of pyproject.toml lists how a reason may begin (an engine declares that it lacks a capability). Any
other skip fails the run: a test that does not run proves nothing, and nobody notices.
"""

from __future__ import annotations

from collections import Counter

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("declared_skips", "how the reason of a skip may begin", type="linelist", default=[])


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Skips(config), "declared-skips")


class Skips:
    """Counts the reasons of skips, and fails a run with one that nobody declared."""

    def __init__(self, config: pytest.Config) -> None:
        self.reasons: Counter[str] = Counter()
        self.declared: tuple[str, ...] = tuple(config.getini("declared_skips"))
        self.worker = hasattr(config, "workerinput")

    def undeclared(self) -> list[str]:
        return sorted(reason for reason in self.reasons if not reason.startswith(self.declared))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self.reasons[reason_of(report)] += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.reasons[reason_of(report)] += 1

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not self.worker and self.undeclared() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for reason in self.undeclared():
            terminalreporter.write_line(f"ERROR: a skip that is not declared in pyproject.toml: {reason}", red=True)


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The words after `Skipped: `, whichever shape pytest gives them."""
    longrepr = report.longrepr
    words = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return str(words).removeprefix("Skipped: ")
