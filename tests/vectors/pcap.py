"""Captures: the UDP datagrams in a pcap or pcapng file, gzipped or not, of Ethernet with IP."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

VECTORS = Path(__file__).parents[2].parent / "shared" / "vectors"

IKE_PORT = 500
NAT_PORT = 4500
NON_ESP_MARKER = bytes(4)

_PCAP_LITTLE = bytes.fromhex("d4c3b2a1")
_PCAP_BIG = bytes.fromhex("a1b2c3d4")
_PCAPNG = bytes.fromhex("0a0d0d0a")
_PCAPNG_BIG_ENDIAN = bytes.fromhex("1a2b3c4d")
_ENHANCED_PACKET = 6
_UDP = 17


@dataclass(frozen=True, slots=True)
class Datagram:
    """What a UDP datagram carries, and from where to where."""

    source: tuple[IPv4Address | IPv6Address, int]
    destination: tuple[IPv4Address | IPv6Address, int]
    data: bytes


def datagrams(path: Path) -> Iterator[Datagram]:
    """The UDP datagrams of a capture; whatever else it holds is passed over, fragments included."""
    octets = path.read_bytes()
    if path.suffix == ".gz":
        octets = gzip.decompress(octets)
    for frame in _FILE_FORMATS[octets[:4]](octets):
        ether_type = int.from_bytes(frame[12:14], "big")
        if ether_type in _ETHER_TYPES:
            yield from _ETHER_TYPES[ether_type](frame[14:])


def ike_messages(path: Path) -> Iterator[bytes]:
    """The IKE messages of a capture, of either version, without the non-ESP marker."""
    for datagram in datagrams(path):
        ports = {datagram.source[1], datagram.destination[1]}
        if IKE_PORT in ports:
            yield datagram.data
        elif NAT_PORT in ports and datagram.data.startswith(NON_ESP_MARKER):
            yield datagram.data[len(NON_ESP_MARKER) :]


def _pcap_frames(octets: bytes) -> Iterator[bytes]:
    record = struct.Struct(("<" if octets[:4] == _PCAP_LITTLE else ">") + "4I")
    at = 24
    while at < len(octets):
        length = record.unpack_from(octets, at)[2]
        at += record.size
        yield octets[at : at + length]
        at += length


def _pcapng_frames(octets: bytes) -> Iterator[bytes]:
    order = ">" if octets[8:12] == _PCAPNG_BIG_ENDIAN else "<"
    at = 0
    while at < len(octets):
        kind, block_length = struct.unpack_from(order + "2I", octets, at)
        if kind == _ENHANCED_PACKET:
            length = struct.unpack_from(order + "I", octets, at + 20)[0]
            yield octets[at + 28 : at + 28 + length]
        at += block_length


def _ipv4(packet: bytes) -> Iterator[Datagram]:
    fragment = int.from_bytes(packet[6:8], "big") & 0x3FFF
    if packet[9] == _UDP and not fragment:
        addresses = IPv4Address(packet[12:16]), IPv4Address(packet[16:20])
        yield _udp(*addresses, packet[(packet[0] & 0x0F) * 4 :])


def _ipv6(packet: bytes) -> Iterator[Datagram]:
    if packet[6] == _UDP:
        yield _udp(IPv6Address(packet[8:24]), IPv6Address(packet[24:40]), packet[40:])


def _udp(
    source: IPv4Address | IPv6Address, destination: IPv4Address | IPv6Address, segment: bytes
) -> Datagram:
    source_port, destination_port, length = struct.unpack_from("!3H", segment)
    data = segment[8:length]
    return Datagram((source, source_port), (destination, destination_port), data)


_FILE_FORMATS: dict[bytes, Callable[[bytes], Iterator[bytes]]] = {
    _PCAP_LITTLE: _pcap_frames,
    _PCAP_BIG: _pcap_frames,
    _PCAPNG: _pcapng_frames,
}

_ETHER_TYPES: dict[int, Callable[[bytes], Iterator[Datagram]]] = {0x0800: _ipv4, 0x86DD: _ipv6}
