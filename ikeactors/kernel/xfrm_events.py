"""What the kernel says over XFRM netlink: SAs, expirations, changed mappings, acquisitions."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from ikeactors.errors import InvalidSyntax
from ikeactors.iana import ProtocolId
from ikeactors.kernel.netlink import Message, read_attributes
from ikeactors.kernel.requests import Address, Mark, SaId, SaUsage
from ikeactors.kernel.xfrm import (
    ID,
    IP_PROTOCOLS,
    LIFETIME_CURRENT,
    XFRM_MSG_ACQUIRE,
    XFRM_MSG_DELPOLICY,
    XFRM_MSG_DELSA,
    XFRM_MSG_EXPIRE,
    XFRM_MSG_FLUSHPOLICY,
    XFRM_MSG_FLUSHSA,
    XFRM_MSG_MAPPING,
    XFRMA_LASTUSED,
    XFRMA_MARK,
    XFRMA_OFFLOAD_DEV,
    XFRMA_REPLAY_ESN_VAL,
    XFRMA_REPLAY_VAL,
    XFRMA_SA,
    Carried,
)
from ikeactors.kernel.xfrm_selectors import (
    AF_INET,
    SELECTOR_OCTETS,
    read_host_selector,
)
from ikeactors.wire.selectors import TrafficSelector

# Where fields lie in struct xfrm_usersa_info and in what contains it.
_SA_OCTETS = 224
_SA_NAME_OCTETS = 24
_ID_AT = 56
_SOURCE_AT = 80
_CURRENT_AT = 160
_FAMILY_AT = 212
_EXPIRE_OCTETS = 232
_MAPPING_OCTETS = 64
_ACQUIRE_OCTETS = 280
_ACQUIRE_SOURCE_AT = 24
_ACQUIRE_PACKET_AT = 40
_ACQUIRE_POLICY_AT = 96
_ACQUIRE_INDEX_AT = 252
_ADDRESS_OCTETS = 16

_FAMILY = struct.Struct("=H")
_MAPPING = struct.Struct("=16s4sHBx4x16s16s2s2s")
_MARK = struct.Struct("=II")
_INDEX = struct.Struct("=I")
_LAST_USED = struct.Struct("=Q")
_REPLAY = struct.Struct("=3I")
_REPLAY_ESN = struct.Struct("=6I")
_WORD_BITS = 32
_WORD_MASK = 0xFFFFFFFF

# Ours: packets that may leave between reading an SA's counter and removing it, a millisecond later
# or two; no sequence number may be used twice with a key. It is a 16384th of those of 32 bits.
LEAP = 1 << 18


@dataclass(frozen=True, slots=True)
class Expired:
    """An SA's lifetime is over: soft, or hard and it is gone."""

    sa_id: SaId
    hard: bool


@dataclass(frozen=True, slots=True)
class MappingChanged:
    """Authentic ESP in UDP of an SA comes from another address or port."""

    sa_id: SaId
    address: Address
    port: int


@dataclass(frozen=True, slots=True)
class Acquired:
    """A packet needs an SA that is not there: what it is, and under which policy it falls.

    `ends` are the addresses of that SA, destination and source, 16 octets each.
    """

    source: TrafficSelector
    destination: TrafficSelector
    index: int
    policy: bytes
    ends: tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Removed:
    """Somebody has removed an SA, or more than that if there is none."""

    sa_id: SaId | None = None


XfrmEvent = Expired | MappingChanged | Acquired | Removed


@dataclass(frozen=True, slots=True)
class State:
    """An SA as the kernel has it."""

    usage: SaUsage
    carried: Carried
    is_offloaded: bool


def read_event(message: Message) -> XfrmEvent | None:
    """The event a message tells of; None when it is of another kind."""
    reader = _READERS.get(message.type)
    return None if reader is None else reader(message.body)


def read_sa_id(body: bytes) -> SaId:
    """The name of an SA, from the body of XFRM_MSG_NEWSA."""
    _require(body, _SA_OCTETS)
    return _sa_id(body, read_attributes(body, _SA_OCTETS))


def read_state(body: bytes) -> State:
    """An SA, from the body of XFRM_MSG_NEWSA."""
    _require(body, _SA_OCTETS)
    attributes = read_attributes(body, _SA_OCTETS)
    current = body[_CURRENT_AT : _CURRENT_AT + LIFETIME_CURRENT.size]
    octets, packets, _, first_used_at = LIFETIME_CURRENT.unpack(current)
    last_used_at = first_used_at
    last_used = attributes.get(XFRMA_LASTUSED)
    if last_used is not None:
        _require(last_used, _LAST_USED.size)
        last_used_at = _LAST_USED.unpack_from(last_used)[0]
    usage = SaUsage(_sa_id(body, attributes), octets, packets, float(last_used_at))
    return State(usage, _carried(current, attributes), XFRMA_OFFLOAD_DEV in attributes)


def _carried(current: bytes, attributes: dict[int, bytes]) -> Carried:
    esn = attributes.get(XFRMA_REPLAY_ESN_VAL)
    if esn is not None:
        _require(esn, _REPLAY_ESN.size)
        words, low, seq, high, seq_high, width = _REPLAY_ESN.unpack_from(esn)
        sent = high << _WORD_BITS | low
        leapt = _leapt(sent)
        head = _REPLAY_ESN.pack(
            words, leapt & _WORD_MASK, seq, leapt >> _WORD_BITS & _WORD_MASK, seq_high, width
        )
        replay = head + esn[_REPLAY_ESN.size :]
        return Carried(current, XFRMA_REPLAY_ESN_VAL, replay, sent, leapt)
    narrow = attributes.get(XFRMA_REPLAY_VAL, bytes(_REPLAY.size))
    _require(narrow, _REPLAY.size)
    sent, seq, bitmap = _REPLAY.unpack_from(narrow)
    leapt = min(_leapt(sent), _WORD_MASK)
    replay = _REPLAY.pack(leapt, seq, bitmap)
    return Carried(current, XFRMA_REPLAY_VAL, replay, sent, leapt)


def _leapt(sent: int) -> int:
    # One that has sent nothing may do so until it is removed.
    return sent + LEAP


def _read_expired(body: bytes) -> Expired:
    _require(body, _EXPIRE_OCTETS)
    attributes = read_attributes(body, _EXPIRE_OCTETS)
    return Expired(_sa_id(body, attributes), body[_SA_OCTETS] != 0)


def _read_mapping(body: bytes) -> MappingChanged:
    _require(body, _MAPPING_OCTETS)
    destination, spi, family, protocol, old, new, _, port = _MAPPING.unpack_from(body)
    sa_id = SaId(
        int.from_bytes(spi, "big"),
        _protocol(protocol),
        _address(old, family),
        _address(destination, family),
    )
    return MappingChanged(sa_id, _address(new, family), int.from_bytes(port, "big"))


def _read_acquired(body: bytes) -> Acquired:
    _require(body, _ACQUIRE_OCTETS)
    packet = body[_ACQUIRE_PACKET_AT : _ACQUIRE_PACKET_AT + SELECTOR_OCTETS]
    policy = body[_ACQUIRE_POLICY_AT : _ACQUIRE_POLICY_AT + SELECTOR_OCTETS]
    index = _INDEX.unpack_from(body, _ACQUIRE_INDEX_AT)[0]
    ends = body[:_ADDRESS_OCTETS], body[_ACQUIRE_SOURCE_AT : _ACQUIRE_SOURCE_AT + _ADDRESS_OCTETS]
    return Acquired(*read_host_selector(packet), index, policy, ends)


def _read_removed_sa(body: bytes) -> Removed:
    """The SA as it was is an attribute of the notice."""
    _require(body, _SA_NAME_OCTETS)
    return Removed(read_sa_id(read_attributes(body, _SA_NAME_OCTETS).get(XFRMA_SA, b"")))


def _read_removed(_: bytes) -> Removed:
    return Removed()


def _sa_id(body: bytes, attributes: dict[int, bytes]) -> SaId:
    destination, spi, protocol = ID.unpack_from(body, _ID_AT)
    family = _FAMILY.unpack_from(body, _FAMILY_AT)[0]
    return SaId(
        int.from_bytes(spi, "big"),
        _protocol(protocol),
        _address(body[_SOURCE_AT : _SOURCE_AT + 16], family),
        _address(destination, family),
        _mark(attributes),
    )


def _mark(attributes: dict[int, bytes]) -> Mark | None:
    mark = attributes.get(XFRMA_MARK)
    if mark is None:
        return None
    _require(mark, _MARK.size)
    return Mark(*_MARK.unpack_from(mark))


def _address(octets: bytes, family: int) -> Address:
    return IPv4Address(octets[:4]) if family == AF_INET else IPv6Address(octets)


def _protocol(number: int) -> ProtocolId:
    return _PROTOCOLS.get(number, ProtocolId.NONE)


def _require(octets: bytes, length: int) -> None:
    if len(octets) < length:
        raise InvalidSyntax("an XFRM message is too short")


_READERS: dict[int, Callable[[bytes], XfrmEvent]] = {
    XFRM_MSG_EXPIRE: _read_expired,
    XFRM_MSG_MAPPING: _read_mapping,
    XFRM_MSG_ACQUIRE: _read_acquired,
    XFRM_MSG_DELSA: _read_removed_sa,
    XFRM_MSG_DELPOLICY: _read_removed,
    XFRM_MSG_FLUSHSA: _read_removed,
    XFRM_MSG_FLUSHPOLICY: _read_removed,
}

_PROTOCOLS = {number: protocol for protocol, number in IP_PROTOCOLS.items()}
