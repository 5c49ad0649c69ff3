"""Two peers with the tunnel of `tunnels` between them, west initiating."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.lab.commands import wait_until
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Gateway, Network
from tests.lab.peer import Peer, Section, established
from tests.lab.strongswan import StrongswanPeer
from tests.lab.tunnels import CHILD, CONNECTION, GCM, IDENTITIES, Suite, connection

LabPeer = IkeactorsPeer | StrongswanPeer
Kinds = Mapping[str, Callable[[Gateway, Section, list[str]], LabPeer]]
KINDS: Kinds = {
    "ikeactors": IkeactorsPeer,
    "strongswan": StrongswanPeer,
}
# Initiator and responder of the tests against strongSwan.
BOTH_ROLES = [("ikeactors", "strongswan"), ("strongswan", "ikeactors")]
SIDES = ["initiator", "responder"]
# A rekey is a round trip of milliseconds; charon first queues it.
SETTLED_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Pair:
    """Two peers on a network: west initiates, east responds."""

    network: Network
    west: Peer
    east: Peer

    def side(self, role: str) -> Peer:
        """The initiator or the responder of the IKE SA that `up` makes."""
        return self.west if role == "initiator" else self.east

    def up(self) -> None:
        """Bring up both children where they are not up; both sides agree then."""
        for child in CHILD.values():
            if not self._has(child):
                self.west.up(CONNECTION, child)
        wait_until(self.agrees, SETTLED_SECONDS, "both sides list the same SAs")

    def agrees(self) -> bool:
        """Whether both sides list one IKE SA with the same SPIs, and the same Child SAs."""
        one, other = established(self.west, CONNECTION), established(self.east, CONNECTION)
        if one is None or other is None:
            return False
        if (one.spi_i, one.spi_r) != (other.spi_i, other.spi_r):
            return False
        ours = {(child.spi_in, child.spi_out) for child in one.installed}
        return ours == {(child.spi_out, child.spi_in) for child in other.installed}

    def _has(self, child: str) -> bool:
        sa = established(self.west, CONNECTION)
        return sa is not None and any(one.name == child for one in sa.installed)


@contextmanager
def paired(
    network: Network,
    kinds: tuple[str, str],
    suite: Suite = GCM,
    version: int = 4,
    responders: Suite | None = None,
    made: Kinds = KINDS,
) -> Iterator[Pair]:
    """A pair of the kinds named, `made` so: the initiator, in the west, and the responder.

    Both have the same suite unless the responder is given its own.
    """
    initiator, responder = kinds
    # kernel-libipsec takes ESP in UDP only, so both ends are told to encapsulate.
    options: Section = {"encap": True}
    theirs = connection(network, network.east, responders or suite, version, options=options)
    ours = connection(network, network.west, suite, version, options=options)
    with ExitStack() as stack:
        east = made[responder](network.east, theirs, IDENTITIES)
        stack.callback(east.stop)
        west = made[initiator](network.west, ours, IDENTITIES)
        stack.callback(west.stop)
        yield Pair(network, west, east)
