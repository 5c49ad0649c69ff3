"""What holds for all tests: what each needs of the machine; the logs shown when one fails."""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterator
from types import FrameType

import pytest
from hypothesis import settings

from tests.lab.logs import LOGS
from tests.lab.namespaces import remove_remains
from tests.lab.needs import missing, needs_of, require

# A busy machine is no failure of an example.
settings.register_profile("any-machine", deadline=None)
settings.load_profile("any-machine")


@pytest.fixture(scope="session", autouse=True)
def clean_lab() -> Iterator[None]:
    """Remove what killed runs left, and let SIGTERM unwind the fixtures as SIGINT does."""
    if not missing("root"):
        remove_remains()
    before = signal.signal(signal.SIGTERM, _interrupt)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or in CI fail, what the machine cannot run."""
    require(*needs_of(item.iter_markers()))
    LOGS.mark()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the peers' logs with a failure, while the fixtures that own them still stand."""
    report = yield
    if report.failed:
        report.sections.extend(LOGS.since_mark())
    return report


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
