"""A short soak of ikeactors and strongSwan; `tools/soak` has long ones.

How often they come to rekey in these seconds is the machine's affair: some twenty times, or two.
"""

from __future__ import annotations

import pytest

from tests.lab.pair import BOTH_ROLES
from tests.lab.soak import Course, soak

pytestmark = [
    pytest.mark.interop,
    pytest.mark.parametrize("kinds", BOTH_ROLES, ids=" to ".join),
]


@pytest.mark.parametrize("one", ["ikeactors", "strongswan"])
def test_rekeyings_by_one_end_on_a_bad_link_lose_no_ping(kinds: tuple[str, str], one: str) -> None:
    """(RFC 7296 section 2.8)"""
    course = Course(kinds, 8.0, rekeyed_by=(one,), rekey_every="2s", spread="1s")
    figures = soak(course)
    figures.expect_no_other_loss()
    assert figures.relay["ike-dropped"] > 0
    assert figures.reports["child-sa-rekeyed"] > 0


def test_rekeyings_by_both_ends_on_a_bad_link_leave_one_of_each(kinds: tuple[str, str]) -> None:
    """(RFC 7296 section 2.8.1)"""
    course = Course(kinds, 10.0, rekey_every="2s", spread="1s")
    figures = soak(course)
    figures.expect_little_loss()
    assert figures.reports["child-sa-rekeyed"] > 0
