"""Both ends of ikeactors and strongSwan rekey at the same time (RFC 7296 section 2.8.1)."""

from __future__ import annotations

import pytest

from tests.lab import expectations
from tests.lab.pair import BOTH_ROLES, Pair
from tests.lab.tunnels import GCM

PAIRS = [pytest.param((kinds, GCM, 4), id=" to ".join(kinds)) for kinds in BOTH_ROLES]
ROUNDS = range(3)

pytestmark = [pytest.mark.interop, pytest.mark.parametrize("pair", PAIRS, indirect=True)]


@pytest.mark.parametrize("_round", ROUNDS)
def test_simultaneous_rekeys_of_a_child_leave_one(pair: Pair, _round: int) -> None:
    expectations.expect_simultaneous_child_rekeys(pair)


@pytest.mark.parametrize("_round", ROUNDS)
def test_simultaneous_rekeys_of_the_ike_sa_leave_one(pair: Pair, _round: int) -> None:
    expectations.expect_simultaneous_ike_rekeys(pair)
