"""A UDP socket as IKE needs it: the options the standard library has no names for.

Only what is said to the kernel about one socket; who reads and writes it is `sockets`.
"""

from __future__ import annotations

import socket
import struct
import sys
from dataclasses import dataclass
from ipaddress import ip_address

from ikeactors.protocol.events import Address, Endpoint

LARGEST_DATAGRAM = 65535
# Room for one IP_PKTINFO or IPV6_PKTINFO.
ANCILLARY = socket.CMSG_SPACE(20) + socket.CMSG_SPACE(12)
# Thousands of peers may speak at once after an outage; the kernel's default holds some two hundred.
_RECEIVE_BUFFER = 4 << 20

# From linux/in.h, linux/in6.h, linux/udp.h and asm/socket.h.
_IP_PKTINFO = 8
_IP_MTU_DISCOVER = 10
_IP_XFRM_POLICY = 17
_IPV6_MTU_DISCOVER = 23
_IPV6_XFRM_POLICY = 35
_PMTUDISC_DONT = 0
_SO_RCVBUFFORCE = 33
_UDP_ENCAP = 100
_UDP_ENCAP_ESPINUDP = 2

# The DSCP is in the upper six bits of an octet (RFC 3168 section 5).
_ECN_BITS = 2

# struct in_pktinfo: interface, our address, the header's destination address.
_PKTINFO_4 = struct.Struct("=i4s4s")
_PKTINFO_6 = struct.Struct("=16si")
# struct xfrm_userpolicy_info: the selector's family, then direction and action; 168 octets.
_BYPASS = struct.Struct("=40xH14x64x32x4x4xBBBB4x")
_POLICY_IN = 0
_POLICY_OUT = 1


@dataclass(frozen=True, slots=True)
class OpenedSocket:
    """A bound socket, and what this host would not do for it."""

    socket: socket.socket
    problems: tuple[str, ...]


def open_socket(address: Address, port: int, mark: int) -> OpenedSocket:
    """Bind a socket to an address and a port; OSError when that is not to be had."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    opened = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        if family == socket.AF_INET:
            opened.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
            opened.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_DONT)
        else:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_DONT)
        problems = [*_enlarge(opened), *_mark(opened, mark), *_bypass(opened, family)]
        opened.bind((str(address), port))
    except OSError:
        opened.close()
        raise
    return OpenedSocket(opened, tuple(problems))


def take_esp_out(opened: socket.socket) -> list[str]:
    """Let the kernel take ESP out of this socket's UDP (RFC 3948); what hinders it."""
    try:
        opened.setsockopt(socket.IPPROTO_UDP, _UDP_ENCAP, _UDP_ENCAP_ESPINUDP)
    except OSError as fault:
        return [f"the kernel takes no ESP out of UDP: {fault.strerror}"]
    return []


def source_for(remote: Address, mark: int) -> Address | None:
    """The address of ours from which the routing table reaches `remote`, if it does."""
    family = socket.AF_INET if remote.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            _mark(probe, mark)
            probe.connect(name_of(Endpoint(remote, 500)))
            return ip_address(probe.getsockname()[0])
    except OSError:
        return None


def destination_of(ancillary: list[tuple[int, int, bytes]]) -> bytes | None:
    """The packed address a datagram was sent to, from its ancillary data."""
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            return data[8:12]
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            return data[:16]
    return None


def source_of(local: Address) -> list[tuple[int, int, bytes]]:
    """Ancillary data that makes a datagram leave from this address."""
    if local.is_unspecified:
        return []
    if local.version == 4:
        packed = _PKTINFO_4.pack(0, local.packed, bytes(4))
        return [(socket.IPPROTO_IP, _IP_PKTINFO, packed)]
    packed = _PKTINFO_6.pack(local.packed, int(local.scope_id or 0))
    return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, packed)]


def class_of(local: Address, dscp: int) -> tuple[int, int, bytes]:
    """Ancillary data that gives a datagram this DSCP."""
    traffic_class = (dscp << _ECN_BITS).to_bytes(4, sys.byteorder)
    if local.version == 4:
        return socket.IPPROTO_IP, socket.IP_TOS, traffic_class
    return socket.IPPROTO_IPV6, socket.IPV6_TCLASS, traffic_class


def name_of(remote: Endpoint) -> tuple[str, int] | tuple[str, int, int, int]:
    """The socket address of an endpoint; a link-local one carries its interface."""
    if remote.address.version == 6 and remote.address.scope_id:
        bare = str(remote.address).partition("%")[0]
        return (bare, remote.port, 0, int(remote.address.scope_id))
    family = socket.AF_INET if remote.address.version == 4 else socket.AF_INET6
    # A third of the time that `str` of an address takes.
    return (socket.inet_ntop(family, remote.address.packed), remote.port)


def _enlarge(opened: socket.socket) -> list[str]:
    try:
        opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
    except OSError:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        granted = opened.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        if granted < _RECEIVE_BUFFER:
            return [f"a receive buffer of {granted} octets only (CAP_NET_ADMIN raises it)"]
    return []


def _mark(opened: socket.socket, mark: int) -> list[str]:
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
    except OSError as fault:
        return [f"no packet mark: {fault.strerror}; IKE may be routed into a tunnel of its own"]
    return []


def _bypass(opened: socket.socket, family: int) -> list[str]:
    """Let this socket's packets pass by all IPsec policies: IKE itself is never in a tunnel."""
    is_4 = family == socket.AF_INET
    level = socket.IPPROTO_IP if is_4 else socket.IPPROTO_IPV6
    option = _IP_XFRM_POLICY if is_4 else _IPV6_XFRM_POLICY
    try:
        for direction in (_POLICY_IN, _POLICY_OUT):
            opened.setsockopt(level, option, _BYPASS.pack(family, direction, 0, 0, 0))
    except OSError as fault:
        return [f"no bypass of IPsec policies: {fault.strerror}"]
    return []
