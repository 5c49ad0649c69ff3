"""Netlink's framing: messages, attributes, acknowledgements. Octets only, no socket.

All numbers are in this host's order, as the kernel has them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ikeactors.errors import InvalidSyntax

# linux/netlink.h
NLM_F_REQUEST = 0x1
NLM_F_MULTI = 0x2
NLM_F_ACK = 0x4
NLM_F_DUMP = 0x300
NLMSG_ERROR = 2
NLMSG_DONE = 3
NLMSG_MIN_TYPE = 0x10
_NLM_F_CAPPED = 0x100
_NLM_F_ACK_TLVS = 0x200
_NLMSGERR_ATTR_MSG = 1
_ATTRIBUTE_TYPE = 0x3FFF

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_ERROR = struct.Struct("=i")
_ALIGNMENT = 4

# Ours: the kernel's explanations are a line; more is not shown.
_LONGEST_EXPLANATION = 200


@dataclass(frozen=True, slots=True)
class Message:
    """One netlink message. In one that is to be sent, the sequence number is the sender's."""

    type: int
    body: bytes
    flags: int = NLM_F_REQUEST | NLM_F_ACK
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The kernel's verdict on a request: 0 or an errno, and what it says about it."""

    errno: int
    text: str = ""


def write_message(message: Message, sequence: int) -> bytes:
    """A message to the kernel; its length is always aligned."""
    length = _HEADER.size + len(message.body)
    return _HEADER.pack(length, message.type, message.flags, sequence, 0) + message.body


def read_messages(octets: bytes) -> Iterator[Message]:
    """The messages in a datagram from the kernel."""
    at = 0
    while len(octets) - at >= _HEADER.size:
        length, type_, flags, sequence, _ = _HEADER.unpack_from(octets, at)
        if not _HEADER.size <= length <= len(octets) - at:
            raise InvalidSyntax("the length of a netlink message is wrong")
        yield Message(type_, octets[at + _HEADER.size : at + length], flags, sequence)
        at += _aligned(length)


def read_acknowledgement(message: Message) -> Acknowledgement:
    """What an NLMSG_ERROR message says."""
    if len(message.body) < _ERROR.size + _HEADER.size:
        raise InvalidSyntax("a netlink acknowledgement is too short")
    number = -_ERROR.unpack_from(message.body)[0]
    if not message.flags & _NLM_F_ACK_TLVS:
        return Acknowledgement(number)
    at = _ERROR.size + _HEADER.size
    if not message.flags & _NLM_F_CAPPED and number:
        at = _ERROR.size + _aligned(_HEADER.unpack_from(message.body, _ERROR.size)[0])
    explanation = read_attributes(message.body, at).get(_NLMSGERR_ATTR_MSG, b"")
    text = explanation.rstrip(b"\0").decode("ascii", "backslashreplace")
    return Acknowledgement(number, text[:_LONGEST_EXPLANATION])


def write_attribute(type_: int, value: bytes) -> bytes:
    """One attribute, padded."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, type_) + value + bytes(_aligned(length) - length)


def read_attributes(octets: bytes, at: int) -> dict[int, bytes]:
    """The attributes from `at` on, by type."""
    attributes = {}
    while len(octets) - at >= _ATTRIBUTE.size:
        length, type_ = _ATTRIBUTE.unpack_from(octets, at)
        if not _ATTRIBUTE.size <= length <= len(octets) - at:
            raise InvalidSyntax("the length of a netlink attribute is wrong")
        attributes[type_ & _ATTRIBUTE_TYPE] = octets[at + _ATTRIBUTE.size : at + length]
        at += _aligned(length)
    return attributes


def _aligned(length: int) -> int:
    return -(-length // _ALIGNMENT) * _ALIGNMENT
