"""What rtnetlink says of this host's addresses and routes, as far as IKE has to know it.

Octets only, no socket. The addresses are read in full; of a route only whether it can matter.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

from ikeactors.errors import InvalidSyntax
from ikeactors.kernel.netlink import NLM_F_DUMP, NLM_F_REQUEST, Message, read_attributes
from ikeactors.kernel.requests import Address

# linux/rtnetlink.h and linux/if_addr.h
RTM_NEWADDR = 20
RTM_DELADDR = 21
RTM_GETADDR = 22
RTM_NEWROUTE = 24
RTM_DELROUTE = 25
RTMGRP_IPV4_IFADDR = 0x10
RTMGRP_IPV4_ROUTE = 0x40
RTMGRP_IPV6_IFADDR = 0x100
RTMGRP_IPV6_ROUTE = 0x400
_IFA_ADDRESS = 1
_IFA_LOCAL = 2
_IFA_FLAGS = 8
_IFA_F_DADFAILED = 0x08
_IFA_F_TENTATIVE = 0x40
_RT_TABLE_LOCAL = 255
_RTM_F_CLONED = 0x200
_AF_INET = 2
_AF_INET6 = 10

# ifaddrmsg: family, prefix length, flags, scope, interface. rtmsg: family, both prefix lengths,
# TOS, table, protocol, scope, type, flags.
_IFADDRMSG = struct.Struct("=BBBBI")
_RTMSG = struct.Struct("=BBBBBBBBI")
_FLAGS = struct.Struct("=I")

GROUPS = RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE


def dump_addresses() -> Message:
    """The question for all addresses of this host, of both families."""
    return Message(RTM_GETADDR, _IFADDRMSG.pack(0, 0, 0, 0, 0), NLM_F_REQUEST | NLM_F_DUMP)


def read_address(message: Message) -> Address | None:
    """The address in an answer to the dump; None where it is not, or not yet, to be used."""
    if message.type != RTM_NEWADDR:
        return None
    if len(message.body) < _IFADDRMSG.size:
        raise InvalidSyntax("an rtnetlink address is cut off")
    family, _, flags, _, _ = _IFADDRMSG.unpack_from(message.body)
    attributes = read_attributes(message.body, _IFADDRMSG.size)
    if len(attributes.get(_IFA_FLAGS, b"")) == _FLAGS.size:
        flags = _FLAGS.unpack(attributes[_IFA_FLAGS])[0]
    if flags & (_IFA_F_TENTATIVE | _IFA_F_DADFAILED):
        return None
    # Where both are told, the link is from one address to another, and IFA_ADDRESS is the other.
    packed = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS) or b""
    if family == _AF_INET and len(packed) == 4:
        return IPv4Address(packed)
    if family == _AF_INET6 and len(packed) == 16:
        return IPv6Address(packed)
    return None


def matters(message: Message, own_protocol: int) -> bool:
    """Whether an event may change which addresses packets leave from.

    Routes of ours (by their protocol number) do not, nor do the kernel's copies of addresses and
    of other routes.
    """
    if message.type in (RTM_NEWADDR, RTM_DELADDR):
        return True
    if message.type not in (RTM_NEWROUTE, RTM_DELROUTE) or len(message.body) < _RTMSG.size:
        return False
    _, _, _, _, table, protocol, _, _, flags = _RTMSG.unpack_from(message.body)
    return table != _RT_TABLE_LOCAL and protocol != own_protocol and not flags & _RTM_F_CLONED
