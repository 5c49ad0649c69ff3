"""Packets of a program behind west to one behind east, and what is seen of them between the two."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from tests.lab.commands import run, run_freely
from tests.lab.namespaces import Gateway, Network
from tests.realkernel.guest.bench import inside

SECRET = b"what nobody between the two may read"
ESP, AH, UDP = 50, 51, 17
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_ALL_PROTOCOLS = 0x0003
_SO_MARK = 36
_PATIENCE = 2.0
_DF = 0x4000
# Decryption may be put off to another of the kernel's threads.
_ON_ITS_WAY = 0.05


@dataclass(frozen=True, slots=True)
class Seen:
    """An IP packet between the gateways."""

    octets: bytes

    @property
    def version(self) -> int:
        return self.octets[0] >> 4

    @property
    def protocol(self) -> int:
        """What the outer header carries."""
        return self.octets[9] if self.version == 4 else self.octets[6]

    @property
    def traffic_class(self) -> int:
        """DSCP and ECN of the outer header."""
        if self.version == 4:
            return self.octets[1]
        return int.from_bytes(self.octets[:2], "big") >> 4 & 0xFF

    @property
    def has_df(self) -> bool:
        """Whether the outer IPv4 header forbids fragments."""
        return bool(int.from_bytes(self.octets[6:8], "big") & _DF)

    @property
    def is_readable(self) -> bool:
        """Whether the payload can be read."""
        return SECRET in self.octets


class Wire:
    """What passes between the gateways."""

    def __init__(self, frames: socket.socket) -> None:
        self._frames = frames

    def seen(self) -> list[Seen]:
        """The IP packets since the last call that are not of the neighbours' own."""
        found: list[Seen] = []
        while True:
            try:
                octets = self._frames.recv(65536)
            except BlockingIOError:
                return [one for one in found if one.protocol in (ESP, AH, UDP)]
            if octets and octets[0] >> 4 in (4, 6):
                found.append(Seen(octets))


@contextmanager
def watching(network: Network) -> Iterator[Wire]:
    """Watch west's side of the link: at east, what has been decrypted is seen as well."""

    def opened() -> socket.socket:
        frames = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL_PROTOCOLS))
        (device,) = [name for _, name in socket.if_nameindex() if name.startswith("to-")]
        frames.bind((device, _ALL_PROTOCOLS))
        frames.setblocking(False)
        return frames

    with inside(network.west, opened) as frames:
        yield Wire(frames)


@contextmanager
def host_behind_west(network: Network) -> Iterator[Gateway]:
    """A host in west's subnet, for which west is the router."""
    west, name = network.west, f"{network.west.namespace}h"
    host = Gateway(name, "host", {}, {4: "10.1.0.9"}, {})
    run("ip", "netns", "add", name)
    try:
        west.run("ip", "link", "add", "lan", "type", "veth", "peer", "name", "eth", "netns", name)
        west.run("ip", "link", "set", "lan", "up")
        west.run("ip", "route", "add", "10.1.0.9/32", "dev", "lan")
        west.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.lan.proxy_arp=1")
        host.run("ip", "addr", "add", "10.1.0.9/24", "dev", "eth")
        host.run("ip", "link", "set", "eth", "up")
        host.run("ip", "route", "add", "default", "via", "10.1.0.1")
        yield host
    finally:
        run_freely("ip", "netns", "del", name)


@dataclass(frozen=True, slots=True)
class Program:
    """How a program sends: the port it sends to, and what it asks of the kernel."""

    port: int = 1500
    version: int = 4
    traffic_class: int = 0
    mark: int = 0


def arrives(
    network: Network,
    program: Program,
    source: Gateway | None = None,
    destination: Gateway | None = None,
) -> tuple[bytes, int] | None:
    """Send a packet, if not said otherwise from west to east: what came, and its traffic class."""
    sending = source or (network.east if destination else network.west)
    receiving = destination or network.east
    here, there = sending.inner[program.version], receiving.inner[program.version]
    with ExitStack() as stack:
        receiver = stack.enter_context(inside(receiving, partial(_receiver, there, program)))
        sender = stack.enter_context(inside(sending, partial(_sender, here, program)))
        try:
            sender.sendto(SECRET, (there, program.port))
            octets, said, _, _ = receiver.recvmsg(2048, 64)
        except OSError:
            return None
    classes = [struct.unpack("=i", value.ljust(4, b"\0")[:4])[0] for _, _, value in said]
    return octets, (classes or [0])[0]


def send_esp(network: Network, octets: bytes) -> None:
    """Send ESP of our own making from west to east, and wait until it is there."""

    def sent() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, ESP) as raw:
            raw.sendto(octets, (network.east.outer[4], 0))

    inside(network.west, sent)
    time.sleep(_ON_ITS_WAY)


def _receiver(address: str, program: Program) -> socket.socket:
    udp = socket.socket(_FAMILIES[program.version], socket.SOCK_DGRAM)
    udp.settimeout(_PATIENCE)
    udp.bind((address, program.port))
    if program.version == 4:
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    else:
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
    return udp


def _sender(address: str, program: Program) -> socket.socket:
    udp = socket.socket(_FAMILIES[program.version], socket.SOCK_DGRAM)
    udp.bind((address, 0))
    udp.setsockopt(socket.SOL_SOCKET, _SO_MARK, program.mark)
    if program.version == 4:
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, program.traffic_class)
    else:
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, program.traffic_class)
    return udp
