"""A short soak of two ikeactors daemons; `tools/soak` has long ones."""

from __future__ import annotations

import pytest

from tests.lab.relay import BAD_LINK
from tests.lab.soak import Course, soak

pytestmark = pytest.mark.netns

PAIR = ("ikeactors", "ikeactors")


def test_collisions_on_a_bad_link_lose_no_ping() -> None:
    """(RFC 7296 section 2.8)"""
    course = Course(PAIR, seconds=10.0, rekey_every="1s", spread="0s")
    figures = soak(course)
    figures.expect_no_other_loss()
    assert figures.relay["ike-dropped"] > 0
    assert figures.reports["ike-sa-rekeyed"] > 0
    assert figures.reports["child-sa-rekeyed"] > 0


def test_no_more_pings_are_lost_than_packets_on_the_way() -> None:
    course = Course(PAIR, seconds=6.0, esp=BAD_LINK)
    figures = soak(course)
    figures.expect_no_other_loss()
    assert sum(figures.lost.values()) > 0


def test_actors_that_crash_leave_one_of_each() -> None:
    course = Course(PAIR, seconds=12.0, crash_every=4.0)
    figures = soak(course)
    figures.expect_little_loss()
    assert figures.reports["actor-crashed"] > 0
