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
from tests.thorough import is_thorough

# A busy machine is no failure of an example.
settings.register_profile("any-machine", deadline=None)
settings.load_profile("any-machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    """What takes minutes more is asked for."""
    parser.addoption("--thorough", action="store_true", help="also more of the same kind")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not asked for; what is named by itself is."""
    if config.getoption("--thorough") or any("::" in argument for argument in config.args):
        return
    left_out = [item for item in items if is_thorough(item.nodeid)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


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
