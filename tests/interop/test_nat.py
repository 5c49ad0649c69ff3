"""A NAT between ikeactors and strongSwan, either of them behind it (RFC 7296 section 2.23)."""

from __future__ import annotations

import pytest

from tests.lab import expectations
from tests.lab.pair import BOTH_ROLES, SIDES, Pair

pytestmark = [
    pytest.mark.interop,
    pytest.mark.parametrize("natted_pair", BOTH_ROLES, ids=" to ".join, indirect=True),
]


def test_a_tunnel_passes_a_nat(natted_pair: Pair) -> None:
    expectations.expect_counted_traffic(natted_pair)


@pytest.mark.parametrize("side", SIDES)
def test_rekeys_pass_a_nat_from_both_sides(natted_pair: Pair, side: str) -> None:
    expectations.expect_child_rekey(natted_pair, side, inner=4)
    expectations.expect_ike_rekey(natted_pair, side)


@pytest.mark.parametrize("side", SIDES)
def test_deletion_passes_a_nat_from_both_sides(natted_pair: Pair, side: str) -> None:
    expectations.expect_ike_deletion(natted_pair, side)
