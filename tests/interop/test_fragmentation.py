"""Large messages in fragments (RFC 7383), between ikeactors and strongSwan in either role."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import expectations
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import direct
from tests.lab.pair import SIDES, Pair
from tests.lab.peer import Section
from tests.lab.strongswan import StrongswanPeer
from tests.lab.tunnels import CBC, GCM, IDENTITIES, Suite, connection

pytestmark = pytest.mark.interop

# Of an IP datagram; even a pre-shared key's IKE_AUTH takes several of these.
SIZE = 256
MANY = "aes128gcm16-x25519,aes256gcm16-x25519,aes128-sha256-x25519,aes256-sha256-x25519"
# The answer to IKE_AUTH fits into one.
IN_FRAGMENTS = [
    "IKE_AUTH request",
    "parsed CREATE_CHILD_SA request",
    "parsed CREATE_CHILD_SA response",
    "generating CREATE_CHILD_SA request",
    "generating CREATE_CHILD_SA response",
]
ROLES = ["initiator", "responder"]


@pytest.fixture(params=[(role, suite) for role in ROLES for suite in (GCM, CBC)], ids=str)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """A pair in which ikeactors has the role of the parameter."""
    role, suite = request.param
    many = Suite(suite.ike, MANY)
    with direct() as network:
        west, east = network.west, network.east
        here, there = (west, east) if role == "initiator" else (east, west)
        options: Section = {"encap": True}
        theirs = connection(network, there, many, options=options)
        ours = connection(network, here, many, options={**options, "fragment_size": SIZE})
        with (
            StrongswanPeer(there, theirs, IDENTITIES, fragment_size=SIZE) as charon,
            IkeactorsPeer(here, ours, IDENTITIES) as daemon,
        ):
            peers = (daemon, charon) if role == "initiator" else (charon, daemon)
            yield Pair(network, *peers)


def test_a_tunnel_is_made_and_rekeyed_in_fragments(pair: Pair) -> None:
    expectations.expect_counted_traffic(pair)
    for side in SIDES:
        expectations.expect_child_rekey(pair, side, inner=4)
        expectations.expect_ike_rekey(pair, side)

    charon = pair.west if isinstance(pair.west, StrongswanPeer) else pair.east
    assert isinstance(charon, StrongswanPeer)
    fragments = [line for line in charon.log.splitlines() if "[ EF(" in line]
    for words in IN_FRAGMENTS:
        assert [line for line in fragments if words in line], words
    assert "retransmit" not in charon.log
