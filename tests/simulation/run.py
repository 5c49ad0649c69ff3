"""One run: a plan in, what it has shown out. The same plan gives the same run."""

from __future__ import annotations

import gc
from collections.abc import Iterator
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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has shown."""

    plan: Plan
    broken: Broken | None
    digest: str
    lines: tuple[str, ...]
    counts: dict[str, int]


def run(
    plan: Plan,
    *,
    lines: bool = False,
    ignored: frozenset[str] = frozenset(),
) -> Outcome:
    """Run a plan to its end or to the first invariant that breaks."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    with _deterministic(plan.seed):
        record: Record = trio.run(_main, plan, Record(lines, ignored), clock=clock)
    return Outcome(plan, record.broken, record.digest, tuple(record.lines), record.counts)


async def _main(plan: Plan, record: Record) -> Record:
    with trio.move_on_after(_PATIENCE) as patience:
        try:
            await World(plan, record).run()
        except Exception as fault:  # noqa: BLE001 - whatever escapes the actors is a finding
            record.breaks("S1", f"{type(fault).__name__}: {fault!r}")
            record.fault = fault
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
