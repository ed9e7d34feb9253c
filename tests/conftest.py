"""What all tests share: asyncio as the only backend, and the conformance suite's count at the end of a run."""

from __future__ import annotations

from collections import Counter

import pytest

pytest.register_assert_rewrite("tidings.testing.conformance")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Promises(), "conformance-promises")


class Promises:
    """Counts what engines keep and what they lack. A test tells its engine by the property `conformance`."""

    def __init__(self) -> None:
        self.kept: Counter[str] = Counter()
        self.lacks: Counter[tuple[str, str]] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        engine = dict(report.user_properties).get("conformance")
        if report.when != "call" or engine is None:
            return
        if report.passed:
            self.kept[str(engine)] += 1
        elif report.skipped and isinstance(report.longrepr, tuple):
            self.lacks[str(engine), report.longrepr[2].removeprefix("Skipped: the engine lacks ")] += 1

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.kept and not self.lacks:
            return
        kept, lacking = self.kept.total(), self.lacks.total()
        terminalreporter.write_line(f"conformance: {kept} promises kept, {lacking} declared lacks")
        for engine in sorted(self.kept | Counter(name for name, _ in self.lacks)):
            terminalreporter.write_line(f"  {engine}: {self.kept[engine]} kept")
            for (name, lack), count in sorted(self.lacks.items()):
                if name == engine:
                    terminalreporter.write_line(f"    lacks {lack} ({count})")
