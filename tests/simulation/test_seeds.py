"""Runs of many seeds: no invariant breaks; and a run is a function of its seed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.plan import Plan, plan_of
from tests.simulation.regressions import Regression, regressions
from tests.simulation.run import run
from tests.simulation.shrink import shrunk

_PROJECT = Path(__file__).resolve().parents[2]
# Runs of a test, so that a broken one is seen soon and named.
_AT_ONCE = 20
_SEEDS = 200
_DIGEST = """
from tests.simulation.plan import plan_of
from tests.simulation.run import run
for seed in (1, 8, 17):
    print(run(plan_of(seed)).digest)
"""


@pytest.mark.parametrize("first", range(1000, 1000 + _SEEDS, _AT_ONCE))
def test_no_invariant_breaks(first: int) -> None:
    for seed in range(first, first + _AT_ONCE):
        outcome = run(plan_of(seed))
        assert outcome.broken is None, f"tools/chaos --seed {seed}: {outcome.broken}"


@pytest.mark.parametrize("regression", regressions(), ids=lambda one: f"seed-{one.seed}")
def test_what_a_seed_has_shown_is_mended(regression: Regression) -> None:
    outcome = run(plan_of(regression.seed, regression.version))
    assert outcome.broken is None, f"{regression.showed}: {outcome.broken}"


def test_a_seed_gives_the_same_run_in_every_process() -> None:
    digests = {digests_with(hash_seed) for hash_seed in ("0", "1", "7")}
    assert len(digests) == 1


def test_a_plan_is_shortened_to_what_it_takes() -> None:
    plan = plan_of(17)
    fault, *_ = plan.faults

    def breaks(candidate: Plan) -> bool:
        return fault in candidate.faults

    smaller = shrunk(plan, breaks)
    assert set(smaller.faults) == {fault}
    assert smaller.operations == ()
    assert smaller.duration < plan.duration


def digests_with(hash_seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    argv = [sys.executable, "-c", _DIGEST]
    done = subprocess.run(argv, cwd=_PROJECT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
