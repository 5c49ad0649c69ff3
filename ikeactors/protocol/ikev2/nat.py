"""NAT detection (RFC 7296 section 2.23): what the two notifies say about the path."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ikeactors.iana import NotifyType
from ikeactors.protocol.events import Endpoint
from ikeactors.quick import quick
from ikeactors.wire.message import notifies
from ikeactors.wire.payload import Notify, Payload
from ikeactors.wire.selectors import Selector, TrafficSelector

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.ike_sa import Spis
    from ikeactors.wire.message import Message

# The specification's: the ports and the length of the hash.
HASH_OCTETS = 20


@quick
class NatSituation:
    """Which ends are behind a NAT, as far as the detection could tell."""

    supported: bool = False
    local: bool = False
    remote: bool = False

    @property
    def present(self) -> bool:
        """Whether there is a NAT on the path, or one end feigns it."""
        return self.local or self.remote


def address_hash(spi_i: bytes, spi_r: bytes, endpoint: Endpoint) -> bytes:
    """SHA-1 of the SPIs, the address and the port."""
    octets = spi_i + spi_r + endpoint.address.packed + endpoint.port.to_bytes(2, "big")
    return hashlib.sha1(octets, usedforsecurity=False).digest()


def detection_notifies(
    spi_i: bytes, spi_r: bytes, local: Endpoint, remote: Endpoint, feign: bool
) -> tuple[Notify, Notify]:
    """Our two notifies. `feign` makes the peer believe in a NAT, so that ESP goes in UDP."""
    source = bytes(HASH_OCTETS) if feign else address_hash(spi_i, spi_r, local)
    return (
        Notify(NotifyType.NAT_DETECTION_SOURCE_IP, source),
        Notify(NotifyType.NAT_DETECTION_DESTINATION_IP, address_hash(spi_i, spi_r, remote)),
    )


def detect(
    payloads: tuple[Payload, ...], spi_i: bytes, spi_r: bytes, local: Endpoint, remote: Endpoint
) -> NatSituation:
    """Compare the peer's notifies with the addresses its message came with.

    A source hash that does not fit says that the peer is behind a NAT; a destination hash that
    does not fit says that we are. A peer may send several source hashes, one an address.
    """
    sources = notifies(payloads, NotifyType.NAT_DETECTION_SOURCE_IP)
    destinations = notifies(payloads, NotifyType.NAT_DETECTION_DESTINATION_IP)
    if not sources or not destinations:
        return NatSituation()
    here = address_hash(spi_i, spi_r, local)
    there = address_hash(spi_i, spi_r, remote)
    return NatSituation(
        supported=True,
        local=all(notify.data != here for notify in destinations),
        remote=all(notify.data != there for notify in sources),
    )


def as_seen_here(
    association: Association, local: Sequence[Selector], remote: Sequence[Selector]
) -> tuple[Sequence[Selector], Sequence[Selector]]:
    """The selectors of transport mode with the addresses that this host sees.

    An end behind a NAT knows itself by another address than the other end does, and transport mode
    is about the outer addresses (RFC 7296 section 2.23.1).
    """
    if association.nat.local:
        local = tuple(_seen_as(one, association.local) for one in local)
    if association.nat.remote:
        remote = tuple(_seen_as(one, association.remote) for one in remote)
    return local, remote


def _seen_as(selector: Selector, endpoint: Endpoint) -> Selector:
    """A selector of a single address; others are of networks, which no NAT changes for us."""
    if not isinstance(selector, TrafficSelector) or selector.start != selector.end:
        return selector
    return replace(selector, start=endpoint.address, end=endpoint.address)


def answer_detection(association: Association, message: Message, spis: Spis) -> tuple[Payload, ...]:
    """Compare the peer's hashes and send ours, where the peer sent any."""
    association.nat = detect(
        message.payloads, message.spi_i, message.spi_r, association.local, association.remote
    )
    if not association.nat.supported:
        return ()
    local, remote, feign = association.local, association.remote, association.feigns_nat
    return detection_notifies(spis.spi_i, spis.spi_r, local, remote, feign)
