"""Reauthentication between ikeactors and strongSwan, make-before-break on both ends."""

from __future__ import annotations

import pytest

from tests.lab import expectations
from tests.lab.pair import BOTH_ROLES, SIDES, Pair
from tests.lab.tunnels import GCM

PAIRS = [pytest.param((kinds, GCM, 4), id=" to ".join(kinds)) for kinds in BOTH_ROLES]

pytestmark = [pytest.mark.interop, pytest.mark.parametrize("pair", PAIRS, indirect=True)]


# Packets under way by an old SA whose end is already known to the other of strongSwan's threads, or
# to our daemon; a ping leaves every 20 ms, so this is a tenth of a second on a busy machine.
UNDER_WAY = 5


@pytest.mark.parametrize("side", SIDES)
def test_the_ike_sa_is_reauthenticated_under_traffic(pair: Pair, side: str) -> None:
    """strongSwan sends by a new Child SA before the initiator can have installed it; where it has
    begun, it takes the old one out at once."""
    expectations.expect_reauthentication(pair, side, UNDER_WAY)
