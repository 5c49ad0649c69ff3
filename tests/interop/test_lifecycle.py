"""The life of a tunnel between ikeactors and strongSwan, in every pairing of roles and suites."""

from __future__ import annotations

import pytest

from tests.lab import expectations
from tests.lab.pair import BOTH_ROLES, SIDES, Pair
from tests.lab.tunnels import CBC, CHACHA, CHILD, GCM

SUITES = {"gcm": GCM, "cbc": CBC, "chacha": CHACHA}
PAIRS = [
    pytest.param((kinds, suite, version), id=f"{kinds[0]}-initiates-{name}-ipv{version}")
    for kinds in BOTH_ROLES
    for name, suite in SUITES.items()
    for version in (4, 6)
]

pytestmark = [pytest.mark.interop, pytest.mark.parametrize("pair", PAIRS, indirect=True)]


def test_pings_of_both_families_pass_both_ways(pair: Pair) -> None:
    expectations.expect_counted_traffic(pair)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("inner", CHILD)
def test_a_child_sa_is_rekeyed_under_traffic(pair: Pair, side: str, inner: int) -> None:
    expectations.expect_child_rekey(pair, side, inner)


@pytest.mark.parametrize("side", SIDES)
def test_the_ike_sa_is_rekeyed_and_keeps_its_children(pair: Pair, side: str) -> None:
    expectations.expect_ike_rekey(pair, side)


@pytest.mark.parametrize("side", SIDES)
def test_a_child_sa_is_deleted_and_comes_back(pair: Pair, side: str) -> None:
    expectations.expect_child_deletion(pair, side)


@pytest.mark.parametrize("side", SIDES)
def test_the_ike_sa_is_deleted_and_comes_back(pair: Pair, side: str) -> None:
    expectations.expect_ike_deletion(pair, side)
