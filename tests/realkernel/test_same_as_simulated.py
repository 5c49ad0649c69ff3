"""The simulated kernel against a real one: the same calls, the same errno, events and dump."""

from __future__ import annotations

from itertools import islice

import pytest

from tests.realkernel import courses
from tests.realkernel.conftest import BOOT_SECONDS, Machine
from tests.realkernel.guest import same


@pytest.mark.realkernel
@pytest.mark.timeout(BOOT_SECONDS + 60)
@pytest.mark.parametrize("name", same.NAMES)
def test_the_simulated_kernel_is_like_a_real_one(machine: Machine, name: str) -> None:
    machine.passes(name)


def test_courses_come_by_every_kind_of_step_and_are_the_same_for_a_seed() -> None:
    steps = [step for seed in range(same.SEEDS) for step in courses.course(seed)]
    assert {type(step) for step in steps} == set(courses.Step.__args__)
    assert list(islice(courses.course(3), 40)) == list(islice(courses.course(3), 40))
