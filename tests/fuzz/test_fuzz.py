"""Every fuzz target bears its corpus, changes of it, and whatever it did not bear once."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from tests.fuzz.mutator import inputs
from tests.fuzz.target import REGRESSIONS, Crash, crash_of, shortened
from tests.fuzz.targets import TARGETS

PROJECT = Path(__file__).parents[2]
KEPT = sorted(REGRESSIONS.glob("*.hex"))
SEED = 20


@pytest.mark.parametrize("name", TARGETS)
def test_changed_messages_are_borne(name: str) -> None:
    target = TARGETS[name]
    seeds = target.seeds()
    assert seeds
    for octets in islice(inputs(seeds, SEED), len(seeds) + target.a_second):
        target.run(octets)


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_what_was_not_borne_once_is_borne(path: Path) -> None:
    name = path.stem.rpartition("-")[0]
    TARGETS[name].run(bytes.fromhex(path.read_text()))


def test_the_same_seed_gives_the_same_inputs() -> None:
    corpus = [b"one", b"two"]
    assert list(islice(inputs(corpus, 7), 50)) == list(islice(inputs(corpus, 7), 50))
    assert list(islice(inputs(corpus, 7), 50)) != list(islice(inputs(corpus, 8), 50))


def test_a_crash_is_shortened_to_what_it_takes() -> None:
    def run(octets: bytes) -> None:
        if b"!" in octets:
            raise ValueError("an exclamation")

    crash = crash_of("message", run, b"a long line with ! in it")
    assert crash is not None
    assert shortened(crash, run).octets == b"!"
    assert "echo 21 > tests/fuzz/regressions/message-" in str(
        Crash("message", b"!", "", crash.report)
    )
    assert crash_of("message", run, b"none") is None


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed")
def test_the_tool_fuzzes_with_coverage() -> None:
    environment = {**os.environ, "IKEACTORS_PYTHON": sys.executable}
    command = [str(PROJECT / "tools/fuzz"), "--seconds", "2", "--target", "notify"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "with coverage" in done.stdout
