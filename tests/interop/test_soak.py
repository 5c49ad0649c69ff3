"""A short soak of ikeactors and strongSwan; `tools/soak` has long ones."""

from __future__ import annotations

import pytest

from tests.lab.pair import BOTH_ROLES
from tests.lab.soak import Course, soak

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("kinds", BOTH_ROLES, ids=" to ".join)
def test_rekeyings_on_a_bad_link_lose_no_ping(kinds: tuple[str, str]) -> None:
    """(RFC 7296 section 2.8)"""
    course = Course(kinds, seconds=15.0, rekey_every="2s", spread="1s")
    figures = soak(course)
    figures.expect_no_other_loss(course)
    assert figures.reports["child-sa-rekeyed"] > 5
