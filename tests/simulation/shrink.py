"""A smaller plan that still breaks the same invariant: what is left is what it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.simulation.plan import Plan

Breaks = Callable[[Plan], bool]

# Runs that a shrinking may cost.
_RUNS = 60


def shrunk(plan: Plan, breaks: Breaks) -> Plan:
    """Leave out faults, operations and time, as long as the plan still breaks the invariant."""
    runs = 0
    smaller = True
    while smaller:
        smaller = False
        for candidate in _candidates(plan):
            runs += 1
            if runs > _RUNS:
                return plan
            if breaks(candidate):
                plan, smaller = candidate, True
                break
    return plan


def _candidates(plan: Plan) -> Iterator[Plan]:
    """Plans that are a little smaller, the boldest first."""
    if plan.faults:
        yield replace(plan, faults={})
    if plan.operations:
        yield replace(plan, operations=())
    for fault in plan.faults:
        yield plan.without(fault)
    for number in range(len(plan.operations)):
        rest = plan.operations[:number] + plan.operations[number + 1 :]
        yield replace(plan, operations=rest)
    if plan.duration > _LEAST_SECONDS:
        duration = max(plan.duration / 2, _LEAST_SECONDS)
        early = tuple(one for one in plan.operations if one.at < duration)
        yield replace(plan, duration=duration, operations=early)


# Below that a run has no time for anything.
_LEAST_SECONDS = 5.0
