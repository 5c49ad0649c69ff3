"""Requests for SAs and policies as an association would make them, for tests of data planes."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

from ikeactors.crypto.suite import ChildSuite
from ikeactors.iana import Encr, Integ, KeyExchangeMethod, ProtocolId
from ikeactors.kernel.requests import (
    Direction,
    Encapsulation,
    Mode,
    PolicyRequest,
    SaRequest,
)
from ikeactors.wire.selectors import TrafficSelector

GCM = ChildSuite(
    ProtocolId.ESP, Encr.AES_GCM_16, 128, Integ.NONE, KeyExchangeMethod.NONE, esn=False
)
CBC = ChildSuite(
    ProtocolId.ESP, Encr.AES_CBC, 256, Integ.HMAC_SHA2_256_128, KeyExchangeMethod.NONE, esn=False
)
SUITES = tuple(
    ChildSuite(ProtocolId.ESP, encr, bits, integ, KeyExchangeMethod.NONE, esn)
    for encr, bits, integ in (
        (Encr.AES_GCM_16, 256, Integ.NONE),
        (Encr.AES_GCM_8, 128, Integ.NONE),
        (Encr.AES_CCM_12, 128, Integ.NONE),
        (Encr.CHACHA20_POLY1305, None, Integ.NONE),
        (Encr.NULL_AUTH_AES_GMAC, 128, Integ.NONE),
        (Encr.AES_CBC, 128, Integ.HMAC_SHA1_96),
        (Encr.AES_CBC, 256, Integ.HMAC_SHA2_512_256),
        (Encr.AES_CTR, 256, Integ.AES_XCBC_96),
        (Encr.TRIPLE_DES, None, Integ.HMAC_SHA2_384_192),
        (Encr.NULL, None, Integ.AES_CMAC_96),
    )
    for esn in (False, True)
)

WEST = ip_address("10.77.0.1")
EAST = ip_address("10.77.0.2")


def selector(text: str, protocol: int = 0, ports: tuple[int, int] = (0, 65535)) -> TrafficSelector:
    """The selector of a network."""
    return TrafficSelector.of_network(ip_network(text), protocol, ports)


def sa(
    spi: int = 0x1000, direction: Direction = Direction.OUT, suite: ChildSuite = GCM, reqid: int = 7
) -> SaRequest:
    """An SA from west to east, seen from west where it is outbound; keys follow from the SPI."""
    octets = spi.to_bytes(4, "big") * 32
    return SaRequest(
        spi=spi,
        protocol=suite.protocol,
        direction=direction,
        source=WEST,
        destination=EAST,
        mode=Mode.TUNNEL,
        reqid=reqid,
        suite=suite,
        encr_key=octets[: suite.encr_key_octets],
        integ_key=octets[: suite.integ_key_octets],
        encapsulation=Encapsulation(4500, 4500),
    )


def turned(request: SaRequest) -> SaRequest:
    """The same SA from east to west."""
    return replace(request, source=request.destination, destination=request.source)


def policy(
    source: str = "10.1.0.0/24",
    destination: str = "10.2.0.0/24",
    direction: Direction = Direction.OUT,
    reqid: int = 7,
) -> PolicyRequest:
    """A policy for tunnel mode between west and east."""
    tunnel = (WEST, EAST) if direction == Direction.OUT else (EAST, WEST)
    return PolicyRequest(
        direction=direction,
        source=selector(source),
        destination=selector(destination),
        tunnel_source=tunnel[0],
        tunnel_destination=tunnel[1],
        protocol=ProtocolId.ESP,
        mode=Mode.TUNNEL,
        reqid=reqid,
    )


def packet(
    source: str = "10.1.0.1", destination: str = "10.2.0.1", protocol: int = 17,
    ports: tuple[int, int] = (5000, 53), length: int = 12,
) -> bytes:  # fmt: skip
    """An IP packet whose payload begins with two ports."""
    payload = ports[0].to_bytes(2, "big") + ports[1].to_bytes(2, "big") + bytes(length - 4)
    addresses = ip_address(source).packed + ip_address(destination).packed
    if len(addresses) == 8:
        total = (20 + length).to_bytes(2, "big")
        head = b"\x45\0" + total + bytes(4) + b"\x40" + bytes((protocol,)) + bytes(2)
        return head + addresses + payload
    head = b"\x60\0\0\0" + length.to_bytes(2, "big") + bytes((protocol, 64))
    return head + addresses + payload
