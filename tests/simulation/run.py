"""One run: a plan in, what it has shown out. The same plan gives the same run."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import trio
import trio.testing

from tests.simulation.plan import Plan
from tests.simulation.verdict import Broken, Record
from tests.simulation.world import World

# Simulated seconds, beyond all phases: a run that is not over by then waits for something that
# does not happen.
_PATIENCE = 7200.0
_FRAMES = 12


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has shown."""

    plan: Plan
    broken: Broken | None
    digest: str
    lines: tuple[str, ...]
    counts: dict[str, int]


def run(plan: Plan, *, lines: bool = False, ignored: frozenset[str] = frozenset()) -> Outcome:
    """Run a plan to its end or to the first invariant that breaks."""
    record = run_with(plan, lambda world: None, Record(lines, ignored))
    return Outcome(plan, record.broken, record.digest, tuple(record.lines), record.counts)


def run_with(plan: Plan, when_up: Callable[[World], None], record: Record | None = None) -> Record:
    """Run a plan; `when_up` is called once all is up for the first time."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    with _deterministic(plan.seed):
        return trio.run(_main, plan, when_up, record or Record(), clock=clock)


async def _main(plan: Plan, when_up: Callable[[World], None], record: Record) -> Record:
    with trio.move_on_after(_PATIENCE) as patience:
        try:
            await World(plan, record, patience).run(when_up)
        except Exception as fault:  # noqa: BLE001 - whatever escapes the actors is a finding
            text = "".join(traceback.format_exception(fault, limit=-_FRAMES))
            record.breaks("S1", text)
    if patience.cancelled_caught:
        record.breaks("E3", "the run does not end")
    return record


@contextmanager
def _deterministic(seed: int) -> Iterator[None]:
    """Trio's scheduler takes its order from the seed, within one run alone.

    This is what Trio's own entry point for Hypothesis sets.
    """
    from trio._core import _run

    before, state = _run._ALLOW_DETERMINISTIC_SCHEDULING, _run._r.getstate()
    _run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    _run._r.seed(f"{seed}/scheduler")
    # A collection in the middle of a run would only cost time: what a run leaves goes at its end.
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        _run._ALLOW_DETERMINISTIC_SCHEDULING = before  # type: ignore[misc]
        _run._r.setstate(state)
        if collecting:
            gc.enable()
