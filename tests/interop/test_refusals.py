"""What does not match between ikeactors and strongSwan is explained on our side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.lab.commands import CommandFailed
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Network, direct
from tests.lab.peer import SECRET, Section
from tests.lab.strongswan import StrongswanPeer
from tests.lab.tunnels import (
    CBC,
    CHILD,
    CONNECTION,
    GCM,
    IDENTITIES,
    Suite,
    connection,
)

pytestmark = pytest.mark.interop

OTHER_SECRET = "another-secret-9876543210"
ENCAPSULATED: Section = {"encap": True}
ELSEWHERE: Section = {"local_ts": "10.9.0.0/24", "remote_ts": "10.1.0.0/24"}


@dataclass(frozen=True, slots=True)
class Difference:
    """How the east differs from what the west wants, and what we have to say about it.

    `said` are words of `ikeactors up` when we initiate, `logged` of our log when we respond.
    """

    said: list[str]
    logged: str
    suite: Suite = GCM
    child: Section | None = None
    secret: str = SECRET


DIFFERENCES = {
    "secret": Difference(
        ["AUTHENTICATION_FAILED", "pre-shared key"], "pre-shared key", secret=OTHER_SECRET
    ),
    "ike-proposal": Difference(
        ["NO_PROPOSAL_CHOSEN", "AES_GCM_16"], "AES_GCM_16", suite=Suite(CBC.ike, GCM.esp)
    ),
    "esp-proposal": Difference(["NO_PROPOSAL_CHOSEN"], "AES_GCM_16", suite=Suite(GCM.ike, CBC.esp)),
    "selectors": Difference(["TS_UNACCEPTABLE", "10.2.0.0"], "10.9.0.0", child=ELSEWHERE),
}


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with direct() as made:
        yield made


@pytest.fixture(params=DIFFERENCES)
def difference(request: pytest.FixtureRequest) -> Difference:
    return DIFFERENCES[request.param]


def test_a_refusal_by_strongswan_is_explained(network: Network, difference: Difference) -> None:
    ours = connection(network, network.west, options=ENCAPSULATED)
    theirs = differing(network, difference)
    with (
        StrongswanPeer(network.east, theirs, IDENTITIES, difference.secret),
        IkeactorsPeer(network.west, ours, IDENTITIES) as west,
    ):
        done = west.attempt("up", f"{CONNECTION}/{CHILD[4]}", "--timeout", "15s")

        assert done.returncode == 1
        for word in difference.said:
            assert word in done.stderr


def test_a_refusal_of_strongswan_is_explained(network: Network, difference: Difference) -> None:
    theirs = connection(network, network.west, options=ENCAPSULATED)
    ours = differing(network, difference)
    with (
        IkeactorsPeer(network.east, ours, IDENTITIES, difference.secret) as east,
        StrongswanPeer(network.west, theirs, IDENTITIES) as west,
    ):
        with pytest.raises(CommandFailed):
            west.up(CONNECTION, CHILD[4])

        east.expect_logged("10.77.0.1", difference.logged)


def differing(network: Network, difference: Difference) -> Section:
    """The east's configuration with that difference."""
    return connection(
        network, network.east, difference.suite, child=difference.child, options=ENCAPSULATED
    )
