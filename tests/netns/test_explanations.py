"""When a tunnel does not come up, both sides say why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Network
from tests.lab.peer import SECRET, Section
from tests.lab.tunnels import CBC, CHILD, CONNECTION, GCM, IDENTITIES, Suite, connection

pytestmark = pytest.mark.netns


@dataclass(frozen=True, slots=True)
class Sides:
    """A daemon on either side, and what `ikeactors up` said in the west."""

    west: IkeactorsPeer
    east: IkeactorsPeer
    status: int
    said: str


@contextmanager
def attempted(
    network: Network, ours: Section, theirs: Section, their_secret: str = SECRET
) -> Iterator[Sides]:
    """Both daemons after the west's attempt to bring the tunnel up."""
    with ExitStack() as stack:
        east = stack.enter_context(
            IkeactorsPeer(network.east, theirs, IDENTITIES, secret=their_secret)
        )
        west = stack.enter_context(IkeactorsPeer(network.west, ours, IDENTITIES))
        done = west.attempt("up", f"{CONNECTION}/{CHILD[4]}", "--timeout", "15s")
        yield Sides(west, east, done.returncode, done.stderr)


def test_a_wrong_secret_is_explained_on_both_sides(network: Network) -> None:
    ours, theirs = connection(network, network.west), connection(network, network.east)
    other = "another-secret-9876543210"
    with attempted(network, ours, theirs, their_secret=other) as sides:
        assert sides.status == 1
        assert "AUTHENTICATION_FAILED" in sides.said
        assert "pre-shared key" in sides.said
        sides.east.expect_logged("pre-shared key")
        sides.east.expect_logged("west.lab")
        for secret in (SECRET, other):
            assert secret not in sides.west.log + sides.east.log + sides.said
        assert not sides.west.sas()
        assert not sides.east.sas()


def test_no_common_ike_proposal_is_explained_on_both_sides(network: Network) -> None:
    ours = connection(network, network.west, GCM)
    theirs = connection(network, network.east, CBC)
    with attempted(network, ours, theirs) as sides:
        assert sides.status == 1
        assert "NO_PROPOSAL_CHOSEN" in sides.said
        assert "AES_GCM_16" in sides.said
        sides.east.expect_logged("AES_GCM_16")
        sides.east.expect_logged("AES_CBC")


def test_no_common_esp_proposal_is_explained_on_both_sides(network: Network) -> None:
    ours = connection(network, network.west, GCM)
    theirs = connection(network, network.east, Suite(GCM.ike, CBC.esp))
    with attempted(network, ours, theirs) as sides:
        assert sides.status == 1
        assert "NO_PROPOSAL_CHOSEN" in sides.said
        sides.east.expect_logged("AES_GCM_16")
        sides.east.expect_logged("AES_CBC")


def test_selectors_that_do_not_meet_are_explained_on_both_sides(network: Network) -> None:
    ours = connection(
        network, network.west, child={"local_ts": "10.1.0.0/24", "remote_ts": "10.9.0.0/24"}
    )
    theirs = connection(network, network.east)
    with attempted(network, ours, theirs) as sides:
        assert sides.status == 1
        assert "TS_UNACCEPTABLE" in sides.said
        assert "10.9.0.0" in sides.said
        sides.east.expect_logged("10.9.0.0")


def test_an_unknown_identity_is_explained_on_both_sides(network: Network) -> None:
    ours = connection(
        network, network.west, options={"local": {"auth": "psk", "id": "stranger.lab"}}
    )
    theirs = connection(network, network.east)
    with (
        IkeactorsPeer(network.east, theirs, IDENTITIES) as east,
        IkeactorsPeer(network.west, ours, [*IDENTITIES, "stranger.lab"]) as west,
    ):
        done = west.attempt("up", CONNECTION, "--timeout", "15s")
        assert done.returncode == 1
        assert "AUTHENTICATION_FAILED" in done.stderr
        east.expect_logged("stranger.lab")


def test_a_silent_peer_is_explained(network: Network) -> None:
    quick: Section = {"retransmit_timeout": 0.2, "retransmit_base": 1.0, "retransmit_tries": 2}
    ours = connection(network, network.west, options=quick)
    with IkeactorsPeer(network.west, ours, IDENTITIES) as west:
        done = west.attempt("up", CONNECTION, "--timeout", "15s")
        assert done.returncode == 1
        assert network.east.outer[4] in done.stderr
        assert "answer" in done.stderr
        status = west.command("status")
        assert "DOWN" in status
        assert "answer" in status


def test_a_failed_attempt_does_not_hinder_the_next(network: Network) -> None:
    ours = connection(network, network.west)
    with IkeactorsPeer(network.west, ours, IDENTITIES) as west:
        assert west.attempt("up", CONNECTION, "--timeout", "1s").returncode == 1
        theirs = connection(network, network.east)
        with IkeactorsPeer(network.east, theirs, IDENTITIES):
            west.up(CONNECTION, CHILD[4])
            assert west.sas()[0].state == "ESTABLISHED"
