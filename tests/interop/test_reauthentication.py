"""Reauthentication between ikeactors and strongSwan, make-before-break on both ends."""

from __future__ import annotations

import pytest

from tests.lab import expectations
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.pair import BOTH_ROLES, SIDES, Pair
from tests.lab.tunnels import GCM

PAIRS = [pytest.param((kinds, GCM, 4), id=" to ".join(kinds)) for kinds in BOTH_ROLES]

pytestmark = [pytest.mark.interop, pytest.mark.parametrize("pair", PAIRS, indirect=True)]


@pytest.mark.parametrize("side", SIDES)
def test_the_ike_sa_is_reauthenticated_under_traffic(pair: Pair, side: str) -> None:
    """strongSwan sends by a new Child SA before the initiator can have installed it."""
    losses = 2 if isinstance(pair.side(side), IkeactorsPeer) else 0
    expectations.expect_reauthentication(pair, side, losses)
