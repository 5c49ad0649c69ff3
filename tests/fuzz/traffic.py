"""Sound octets to begin with: what two ends say to each other, and what captures hold."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from ipaddress import ip_address

from ikeactors.errors import Fault
from ikeactors.iana import (
    CertificateEncoding,
    ConfigurationAttribute,
    ConfigurationType,
    EapCode,
    ExchangeType,
    NotifyType,
    PayloadType,
    ProtocolId,
)
from ikeactors.protocol.ikev2.protection import Opened, open_sealed
from ikeactors.wire.configuration import Configuration, ConfigurationAttributeValue
from ikeactors.wire.header import HEADER_LENGTH, Header, read_header
from ikeactors.wire.identities import Identity
from ikeactors.wire.message import Message, write_message
from ikeactors.wire.notify import FORMATS
from ikeactors.wire.payload import (
    Certificate,
    CertificateRequest,
    Delete,
    Eap,
    IdentificationInitiator,
    IdentificationResponder,
    Notify,
    Payload,
    Unknown,
    VendorId,
    write_payloads,
)
from tests.pair import Pair
from tests.protocol.forging import other
from tests.protocol.phases import PHASES
from tests.vectors.pcap import VECTORS, ike_messages

_IDENTITIES = ("west.example", "192.0.2.1", "fd00::1", "user@east.example", "CN=west, O=E")
_EXTRA: tuple[Payload, ...] = (
    *(IdentificationInitiator(Identity.from_text(text)) for text in _IDENTITIES),
    IdentificationResponder(Identity.from_text("east.example")),
    Certificate(CertificateEncoding(4), b"\x30\x03\x02\x01\x05"),
    CertificateRequest(CertificateEncoding(4), bytes(20)),
    Delete(ProtocolId.IKE),
    Delete(ProtocolId.ESP, (b"\0\0\1\0", b"\0\0\1\1")),
    VendorId(b"vendor"),
    Notify(NotifyType.REKEY_SA, b"", ProtocolId.ESP, b"\0\0\1\0"),
    *(Notify(NotifyType(kind), bytes(4)) for kind in sorted(FORMATS)),
    Configuration(
        ConfigurationType.CFG_REQUEST,
        (
            ConfigurationAttributeValue(ConfigurationAttribute.INTERNAL_IP4_ADDRESS, b""),
            ConfigurationAttributeValue(
                ConfigurationAttribute.INTERNAL_IP4_DNS, ip_address("192.0.2.53").packed
            ),
        ),
    ),
    Eap(EapCode.REQUEST, 1, b"\1west"),
    Eap(EapCode.SUCCESS, 2),
    Unknown(PayloadType(200), False, b"unknown"),
)


@functools.cache
def spoken() -> tuple[tuple[str, str, bytes, Opened | None], ...]:
    """All that is said in each phase until the ends come to rest: phase, who hears it, octets,
    and what is inside."""
    return tuple(one for phase, make in PHASES.items() for one in _spoken_in(phase, make()))


def _spoken_in(phase: str, pair: Pair) -> Iterator[tuple[str, str, bytes, Opened | None]]:
    for _ in range(8):
        if not pair.flights:
            return
        flight = pair.flights[0]
        octets = flight.datagram.octets
        header = read_header(octets)
        sender = other(pair, flight.receiver).association
        inside = None
        if header.exchange is not ExchangeType.IKE_SA_INIT and sender.ike_sas.exists:
            inside = _inside(pair, octets, header)
        yield phase, flight.receiver.name, octets, inside
        pair.deliver(flight)


def _inside(pair: Pair, octets: bytes, header: Header) -> Opened | None:
    for end in pair.ends():
        for spi in (header.spi_i, header.spi_r):
            ike_sa = end.association.ike_sas.find(spi)
            if ike_sa is not None:
                try:
                    return open_sealed(ike_sa.outgoing, octets, header)
                except Fault:
                    continue
    return None


@functools.cache
def _clear() -> tuple[bytes, ...]:
    found = [octets for _, _, octets, _ in spoken()]
    for path in sorted((VECTORS / "wireshark").glob("ikev2*.pcap*")):
        found += list(ike_messages(path))[:4]
    for path in sorted((VECTORS / "zeek").glob("*.pcap*")):
        found += list(ike_messages(path))[:4]
    for _, _, octets, inside in spoken():
        if inside is not None:
            found.append(_in_clear(octets, inside))
    for one in _EXTRA:
        found.append(
            write_message(
                Message(bytes(8), bytes(8), ExchangeType.INFORMATIONAL, 2, False, True, (one,))
            )
        )
    return tuple(dict.fromkeys(found))


def clear_messages() -> list[bytes]:
    """Messages in clear: as they went, what was inside of SK, and one of each payload."""
    return list(_clear())


def _in_clear(octets: bytes, inside: Opened) -> bytes:
    length = HEADER_LENGTH + len(inside.plaintext)
    head = octets[:16] + bytes((inside.first,)) + octets[17:24] + length.to_bytes(4, "big")
    return head + inside.plaintext


@functools.cache
def bodies() -> tuple[tuple[int, bytes], ...]:
    """The types and bodies of the payloads in those messages."""
    found: dict[tuple[int, bytes], None] = {}
    for octets in _clear():
        for one in _chain(octets):
            found.setdefault(one)
    for one in _EXTRA:
        kind, chain = write_payloads((one,))
        found.setdefault((int(kind), chain[4:]))
    return tuple(found)


def _chain(octets: bytes) -> Iterator[tuple[int, bytes]]:
    kind, at = octets[16], HEADER_LENGTH
    while kind and len(octets) - at >= 4:
        following, length = octets[at], int.from_bytes(octets[at + 2 : at + 4], "big")
        if length < 4 or at + length > len(octets):
            return
        yield kind, octets[at + 4 : at + length]
        if kind in (PayloadType.SK, PayloadType.SKF):
            return
        kind, at = following, at + length
