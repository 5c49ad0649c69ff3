"""tools/quickstart: one at a time, nothing that stands is torn down, and clean-up is finished."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.tools.scripts import PROJECT, loaded


@pytest.fixture
def quickstart(tmp_path: Path) -> ModuleType:
    """The program of another clone: its lock and its files are its own."""
    (tmp_path / "tools").mkdir()
    copy = tmp_path / "tools/quickstart"
    shutil.copy(PROJECT / "tools/quickstart", copy)
    return loaded(str(copy))


@pytest.fixture
def signals(quickstart: ModuleType) -> Iterator[None]:
    before = {one: signal.getsignal(one) for one in quickstart.SIGNALS}
    yield
    for one, handler in before.items():
        signal.signal(one, handler)


def test_a_second_run_is_told_who_holds_the_lock(quickstart: ModuleType) -> None:
    told = f"process {os.getpid()} runs it already"
    with quickstart.alone(), pytest.raises(quickstart.Failed, match=told), quickstart.alone():
        pass
    with quickstart.alone():
        pass


def test_what_stands_is_not_torn_down_by_a_plain_run(quickstart: ModuleType) -> None:
    quickstart.FOLDER.mkdir(parents=True)
    argv = [sys.executable, "-c", "input(1)", str(quickstart.WEST.configuration)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as standing:
        assert standing.stdout is not None
        standing.stdout.read(1)
        quickstart.WEST.pid.write_text(f"{standing.pid}\n")
        with pytest.raises(quickstart.Failed, match="tools/quickstart --down"):
            quickstart.from_nothing(quickstart.arguments([]))
        assert standing.poll() is None
        standing.communicate(b"\n")


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_after_the_first_signal_the_others_are_ignored(
    quickstart: ModuleType, signals: None, first: signal.Signals
) -> None:
    quickstart.heed_signals(quickstart.interrupt)
    with pytest.raises(quickstart.Interrupted, match=first.name):
        os.kill(os.getpid(), first)
    for one in quickstart.SIGNALS:
        os.kill(os.getpid(), one)
