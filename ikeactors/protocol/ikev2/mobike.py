"""MOBIKE (RFC 4555): what two ends know of each other's addresses, and the notifies about them.

Who initiated the first IKE SA decides which addresses are used, whoever rekeys it (section 1.3).
That the addresses change is in `update_addresses`, which of them are tried in `probing`, and what
makes us change them in `roaming`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.iana import NotifyType
from ikeactors.protocol.events import Address, Endpoint
from ikeactors.protocol.ikev2.exchange import Payloads
from ikeactors.protocol.ikev2.nat import detection_notifies
from ikeactors.wire.message import notifies
from ikeactors.wire.notify import (
    AddressPair,
    read_ip4_address,
    read_ip6_address,
    read_no_nats_allowed,
    write_no_nats_allowed,
)
from ikeactors.wire.payload import Notify

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.ike_sa import Spis

# Ours: a router may have thousands of addresses. So many are told to the peer, so many of the
# peer's are kept: each of them is one more way that is tried when the path dies.
MAX_ADDITIONAL = 8

_ADDITIONAL = {4: NotifyType.ADDITIONAL_IP4_ADDRESS, 6: NotifyType.ADDITIONAL_IP6_ADDRESS}


class Mobike:
    """What is known where both ends speak MOBIKE.

    `decides` says that we chose the addresses, `peers` where else the peer can be reached, and
    `told` which addresses this host had when the peer was told. `mapping` is the hash of what the
    peer saw us as when it was told where we are.
    """

    __slots__ = ("decides", "mapping", "peers", "told")

    def __init__(
        self, decides: bool, peers: tuple[Address, ...], told: tuple[Address, ...]
    ) -> None:
        self.decides = decides
        self.peers = peers
        self.told = told
        self.mapping = b""


def offered(association: Association) -> Payloads:
    """What IKE_AUTH says of MOBIKE, in the request and in an answer (RFC 4555 section 3.2)."""
    if not association.connection.mobike:
        return ()
    return (
        Notify(NotifyType.MOBIKE_SUPPORTED),
        *additional(association, where_none=()),
        *prohibition(association),
    )


def agree(association: Association, payloads: Payloads, *, decides: bool) -> bool:
    """Whether both ends speak MOBIKE: then from now on (RFC 4555 section 3.4)."""
    if not association.connection.mobike or not notifies(payloads, NotifyType.MOBIKE_SUPPORTED):
        return False
    told = association.surroundings.addresses()
    association.mobike = Mobike(decides, read_additional(payloads), told)
    return True


def answered(association: Association, payloads: Payloads) -> Payloads:
    """What the answer to IKE_AUTH says of MOBIKE, where the request speaks of it."""
    if not agree(association, payloads, decides=False):
        return ()
    return offered(association)


def own_addresses(association: Association, among: tuple[Address, ...]) -> list[Address]:
    """Where else the peer can reach us: what local_addrs takes, and others can route to."""
    connection, here = association.connection, association.local.address
    eligible = (
        one
        for one in among
        if one != here
        and not (one.is_loopback or one.is_link_local or one.is_multicast)
        and connection.takes_local(one)
    )
    return [one for one, _ in zip(eligible, range(MAX_ADDITIONAL), strict=False)]


_NONE: Payloads = (Notify(NotifyType.NO_ADDITIONAL_ADDRESSES),)


def additional(association: Association, where_none: Payloads = _NONE) -> Payloads:
    """Our addresses beside the one in use; the list is always the whole one (section 3.6)."""
    ours = own_addresses(association, association.surroundings.addresses())
    return tuple(Notify(_ADDITIONAL[one.version], one.packed) for one in ours) or where_none


def read_additional(payloads: Payloads) -> tuple[Address, ...]:
    """The peer's addresses beside the one it uses."""
    found: list[Address] = []
    found += [
        read_ip4_address(one.data) for one in notifies(payloads, _ADDITIONAL[4])[:MAX_ADDITIONAL]
    ]
    found += [
        read_ip6_address(one.data) for one in notifies(payloads, _ADDITIONAL[6])[:MAX_ADDITIONAL]
    ]
    return tuple(dict.fromkeys(found))[:MAX_ADDITIONAL]


def speaks_of_addresses(payloads: Payloads) -> bool:
    """Whether a request replaces the list of its sender's addresses."""
    kinds = (*_ADDITIONAL.values(), NotifyType.NO_ADDITIONAL_ADDRESSES)
    return any(notifies(payloads, kind) for kind in kinds)


def detection(association: Association, spis: Spis) -> Payloads:
    """What shows NATs between the two ends; nothing where the peer knows nothing of NATs."""
    return detection_at(association, spis, association.local, association.remote)


def detection_at(
    association: Association, spis: Spis, local: Endpoint, remote: Endpoint
) -> Payloads:
    """The same for an answer, which goes where its request came from."""
    if not association.nat.supported:
        return ()
    feign = association.feigns_nat
    return detection_notifies(spis.spi_i, spis.spi_r, local, remote, feign)


def prohibition(association: Association) -> Payloads:
    """Where the peer knows nothing of NATs, none is borne (RFC 4555 section 3.9)."""
    if association.nat.supported:
        return ()
    here, there = association.local, association.remote
    pair = AddressPair(here.address, there.address, here.port, there.port)
    return (Notify(NotifyType.NO_NATS_ALLOWED, write_no_nats_allowed(pair)),)


def is_prohibited(payloads: Payloads, local: Endpoint, remote: Endpoint) -> bool:
    """Whether a message forbids NATs and has passed one: it came with other addresses."""
    sent_with = AddressPair(remote.address, local.address, remote.port, local.port)
    return any(
        read_no_nats_allowed(one.data) != sent_with
        for one in notifies(payloads, NotifyType.NO_NATS_ALLOWED)
    )
