"""A pair whose ends have addresses that come and go; datagrams reach only who is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

from ikeactors.protocol.actions import SendDatagram
from ikeactors.protocol.events import Address, DatagramReceived, LocalAddressesChanged
from ikeactors.protocol.settings import ConnectionSettings
from ikeactors.protocol.surroundings import Surroundings
from tests.pair import EAST, WEST, End, Flight, Pair, connection, opposite

WEST_1, EAST_1 = WEST.address, EAST.address
WEST_2, EAST_2 = ip_address("198.51.100.1"), ip_address("198.51.100.2")
WEST_6, EAST_6 = ip_address("2001:db8::1"), ip_address("2001:db8::2")

Carries = Callable[[DatagramReceived], bool]


class RoamingPair(Pair):
    """`hosts` are the addresses of each end, the one that its routes prefer first.

    The network takes a datagram from an address of its sender to one of its receiver, if `carries`
    does not object.
    """

    def __init__(
        self, west: ConnectionSettings | None = None, east: ConnectionSettings | None = None
    ) -> None:
        self.hosts: dict[str, tuple[Address, ...]] = {"west": (WEST_1,), "east": (EAST_1,)}
        self.carries: Carries = lambda datagram: True
        west = west or connection(mobike=True)
        super().__init__(west, east or replace(opposite(west), remote_addrs=()))

    def surroundings_of(self, name: str, encapsulate: bool) -> Surroundings:
        return replace(
            super().surroundings_of(name, encapsulate),
            addresses=lambda: self.hosts[name],
            source_for=lambda remote: self._source(name, remote),
        )

    def _source(self, name: str, remote: Address) -> Address | None:
        fitting = (one for one in self.hosts[name] if one.version == remote.version)
        return next(fitting, None)

    def _send(self, end: End, action: SendDatagram) -> None:
        other = self.east if end is self.west else self.west
        is_sent = action.local.address in self.hosts[end.name]
        arrived = self.nat(DatagramReceived(action.octets, action.remote, action.local))
        is_there = arrived.local.address in self.hosts[other.name]
        if is_sent and is_there and self.carries(arrived):
            self.flights += [Flight(other, arrived) for _ in range(self.fate(self.sent))]
        self.sent += 1

    def readdress(self, end: End, *addresses: Address) -> None:
        """The host of an end has these addresses from now on, and notices it."""
        self.hosts[end.name] = addresses
        self.give(end, LocalAddressesChanged())

    def assert_at(self, west: Address, east: Address) -> None:
        """Both ends and all their SAs are on the path between these addresses."""
        self.assert_mirrored()
        for end, here, there in ((self.west, west, east), (self.east, east, west)):
            association = end.association
            assert (association.local.address, association.remote.address) == (here, there)
            assert {(sa.source, sa.destination) for sa in end.sas.values()} == {
                (west, east),
                (east, west),
            }
            tunnels = {(one.tunnel_source, one.tunnel_destination) for one in end.policies}
            assert tunnels == {(west, east), (east, west)}
