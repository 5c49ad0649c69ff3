"""A path on which large datagrams are lost: messages come through in smaller fragments."""

from __future__ import annotations

import pytest

from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Gateway, direct
from tests.lab.needs import require
from tests.lab.peer import Section
from tests.lab.traffic import ping
from tests.lab.tunnels import CHILD, CONNECTION, GCM, IDENTITIES, Suite, connection

pytestmark = pytest.mark.netns

_CIPHERS = [f"aes{bits}{mode}" for bits in (128, 192, 256) for mode in ("", "ctr")]
# Of IKE_AUTH they make a message between the two sizes that are tried, 1280 and 576.
_MANY = Suite(GCM.ike, ",".join(f"{one}-{two}" for one in _CIPHERS for two in ("sha256", "sha512")))
_QUICK: Section = {"retransmit_timeout": 0.2, "retransmit_base": 1.0, "retransmit_tries": 5}
_RULES = (
    "add table inet lab",
    "add chain inet lab out { type filter hook output priority 0; }",
    "add rule inet lab out udp length > 560 drop",
)


def test_what_is_too_large_for_the_path_goes_in_smaller_fragments() -> None:
    """(RFC 7383 section 2.5.2)"""
    require("nat")
    with direct() as network:
        ours = connection(network, network.west, _MANY, options=_QUICK)
        theirs = connection(network, network.east, _MANY)
        for gateway in (network.west, network.east):
            _narrow(gateway)
        with (
            IkeactorsPeer(network.east, theirs, IDENTITIES),
            IkeactorsPeer(network.west, ours, IDENTITIES) as west,
        ):
            west.up(CONNECTION, CHILD[4])
            west.expect_logged("fragments-shrunk", "in 2 fragments of at most 576 octets")
            assert ping(network.west, network.east) == 3


def _narrow(gateway: Gateway) -> None:
    for rule in _RULES:
        gateway.run("nft", rule)
