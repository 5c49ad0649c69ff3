"""Targets at the data plane: what the kernel says, ESP packets and the packets inside of them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_network

from ikeactors.errors import Fault
from ikeactors.kernel.esp import InboundSa, OutboundSa
from ikeactors.kernel.flows import Matcher, flow_of
from ikeactors.kernel.netlink import (
    NLMSG_ERROR,
    Message,
    read_acknowledgement,
    read_messages,
    write_attribute,
    write_message,
)
from ikeactors.kernel.requests import Direction, SaRequest
from ikeactors.kernel.xfrm import (
    XFRM_MSG_ACQUIRE,
    XFRM_MSG_EXPIRE,
    XFRM_MSG_MAPPING,
    XFRM_MSG_NEWSA,
    new_sa,
)
from ikeactors.kernel.xfrm_events import read_event, read_state
from ikeactors.wire.selectors import TrafficSelector
from tests.fakes.sas import CBC, GCM, SUITES, packet, sa
from tests.fuzz.target import Target
from tests.kernel import structures
from tests.kernel.structures import filled

# An SA of CBC shows its padding, one with ESN its window.
_SUITES = (GCM, CBC, replace(GCM, esn=True), replace(CBC, esn=True), SUITES[-1])
_WITH_ALL = TrafficSelector.of_network(ip_network("10.1.0.0/16"), 0, (0, 65535))
_ICMP = TrafficSelector.of_network(ip_network("10.2.0.0/16"), 1, (8 << 8, 8 << 8 | 255))


def netlink(octets: bytes) -> None:
    """A datagram from the kernel."""
    with suppress(Fault):
        for message in read_messages(octets):
            _read(message)


def xfrm(octets: bytes) -> None:
    """The first octet is the type of one message, the rest its body."""
    if octets:
        _read(Message(octets[0], octets[1:], octets[0] << 8))


def _read(message: Message) -> None:
    with suppress(Fault):
        if message.type == NLMSG_ERROR:
            verdict = read_acknowledgement(message)
            assert len(verdict.text) <= 200
    with suppress(Fault):
        read_event(message)
    with suppress(Fault):
        if message.type == XFRM_MSG_NEWSA:
            carried = read_state(message.body).carried
            assert new_sa(sa(), carried).body


def esp(octets: bytes) -> None:
    """The first octet chooses an SA; the rest comes in as it stands."""
    if octets:
        inbound = InboundSa(_request(octets[0]))
        for packet_in in (octets[1:], octets[1:]):
            with suppress(Fault):
                inbound.open(packet_in)


def esp_inside(octets: bytes) -> None:
    """The peer itself seals these octets, padding and trailer included."""
    request = _request(0)
    keyed = GCM.cipher.keyed(request.encr_key, request.integ_key)
    header = request.spi.to_bytes(4, "big") + (1).to_bytes(4, "big")
    sealed = header + bytes(8) + keyed.seal(bytes(8), octets, header)
    with suppress(Fault):
        _, inner = InboundSa(request).open(sealed)
        assert len(inner) <= len(octets)
        flow(inner)


def flow(octets: bytes) -> None:
    found = flow_of(octets)
    if found is not None:
        for source, destination in ((_WITH_ALL, _ICMP), (_ICMP, _WITH_ALL)):
            assert Matcher.of(source, destination).takes(found) in (True, False)


def _request(number: int) -> SaRequest:
    return replace(sa(suite=_SUITES[number % len(_SUITES)]), direction=Direction.IN)


def _bodies() -> list[tuple[int, bytes]]:
    info = structures.SaInfo(family=2, mode=1, saddr=filled("10.77.0.1"))
    info.id.daddr, info.id.proto = filled("10.77.0.2"), 50
    mapping = structures.Mapping(old_saddr=filled("10.77.0.1"), new_saddr=filled("192.0.2.9"))
    mapping.id.family, mapping.id.proto = 2, 50
    acquire = structures.Acquire(saddr=filled("10.77.0.1"))
    marked = write_attribute(21, bytes(8))
    replay = write_attribute(23, bytes(structures.ReplayEsn(bmp_len=1, replay_window=32)))
    used = write_attribute(15, bytes(8)) + write_attribute(10, bytes(12))
    refused = bytes(4) + bytes(16) + write_attribute(1, b"why\0")
    return [
        (XFRM_MSG_EXPIRE, bytes(structures.Expire(state=info, hard=True)) + marked),
        (XFRM_MSG_MAPPING, bytes(mapping)),
        (XFRM_MSG_ACQUIRE, bytes(acquire)),
        (XFRM_MSG_NEWSA, bytes(info) + marked + used),
        (XFRM_MSG_NEWSA, bytes(info) + replay),
        (NLMSG_ERROR, refused),
    ]


def _datagrams() -> list[bytes]:
    return [write_message(Message(type_, body, 0x300), 7) for type_, body in _bodies()]


def _sealed() -> list[bytes]:
    return [
        bytes((number,)) + OutboundSa(sa(suite=suite), bytes).seal(packet())
        for number, suite in enumerate(_SUITES)
    ]


def _packets() -> list[bytes]:
    kinds = (1, 6, 17, 58, 0, 43, 44, 60)
    packets = [packet(protocol=kind) for kind in kinds]
    packets += [packet("fd01::1", "fd02::1", kind, length=40) for kind in kinds]
    return packets


def _insides() -> list[bytes]:
    trailers = (b"\x01\x02\x02\x04", b"\0\x29", b"\0\x3b", b"\x01\x01\x04")
    return [one + trailer for one in _packets()[::3] for trailer in trailers]


KERNEL: dict[str, Target] = {
    "netlink": Target(netlink, _datagrams, 30_000),
    "xfrm": Target(xfrm, lambda: [bytes((type_,)) + body for type_, body in _bodies()], 15_000),
    "esp": Target(esp, _sealed, 6_000),
    "esp-inside": Target(esp_inside, _insides, 5_000),
    "flow": Target(flow, _packets, 20_000),
}
