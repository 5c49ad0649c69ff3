"""XFRM netlink messages to the kernel: SAs and policies (linux/xfrm.h).

What the kernel says is read in `xfrm_events`; algorithms and selectors have files of their own.
"""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass, field

from ikeactors.iana import ProtocolId
from ikeactors.kernel.compression import IPCOMP
from ikeactors.kernel.netlink import Message, write_attribute
from ikeactors.kernel.policies import priority_of
from ikeactors.kernel.requests import (
    Direction,
    HwOffload,
    KernelRefusal,
    Lifetime,
    Mark,
    Mode,
    PolicyAction,
    PolicyRequest,
    SaId,
    SaRequest,
)
from ikeactors.kernel.xfrm_algorithms import write_algorithms
from ikeactors.kernel.xfrm_modes import MODES, extra_flags, flags_of, is_tunnel, mode_of
from ikeactors.kernel.xfrm_selectors import (
    ANY_SELECTOR,
    XfrmSelector,
    family_of,
    xfrm_selectors,
)

# linux/xfrm.h: messages, attributes, flags.
XFRM_MSG_NEWSA = 0x10
XFRM_MSG_DELSA = 0x11
XFRM_MSG_GETSA = 0x12
XFRM_MSG_NEWPOLICY = 0x13
XFRM_MSG_DELPOLICY = 0x14
XFRM_MSG_ALLOCSPI = 0x16
XFRM_MSG_GETPOLICY = 0x15
XFRM_MSG_ACQUIRE = 0x17
XFRM_MSG_EXPIRE = 0x18
XFRM_MSG_UPDPOLICY = 0x19
XFRM_MSG_UPDSA = 0x1A
XFRM_MSG_FLUSHSA = 0x1C
XFRM_MSG_FLUSHPOLICY = 0x1D
XFRM_MSG_MAPPING = 0x26
XFRMA_ENCAP = 4
XFRMA_TMPL = 5
XFRMA_SA = 6
XFRMA_POLICY = 7
XFRMA_LTIME_VAL = 9
XFRMA_REPLAY_VAL = 10
XFRMA_SRCADDR = 13
XFRMA_LASTUSED = 15
XFRMA_MARK = 21
XFRMA_TFCPAD = 22
XFRMA_REPLAY_ESN_VAL = 23
XFRMA_OFFLOAD_DEV = 28
XFRMA_SET_MARK = 29
XFRMA_SET_MARK_MASK = 30
XFRMA_IF_ID = 31
_XFRM_OFFLOAD_INBOUND = 2
_UDP_ENCAP_ESPINUDP = 2
_NO_LIMIT = 0xFFFFFFFFFFFFFFFF
_ALL_ALGORITHMS = 0xFFFFFFFF
_WIDEST_LEGACY_WINDOW = 32
_WORD_BITS = 32

ID = struct.Struct("=16s4sB3x")
_LIFETIME = struct.Struct("=8Q")
LIFETIME_CURRENT = struct.Struct("=4Q")
_SA_END = struct.Struct("=3I II HBBB7x")
SA_NAME = struct.Struct("=16s4sHBx")
_USERSA_WANTED = struct.Struct("=56x24s16s112xIHB9x")
_SPI_RANGE = struct.Struct("=II")
_ENCAPSULATION = struct.Struct("=H2s2s2x16x")
_REPLAY_ESN = struct.Struct("=6I")
_TEMPLATE = struct.Struct("=24sH2x16sIBBBx3I")
_POLICY_END = struct.Struct("=II4B4x")
POLICY_ID = struct.Struct("=56sIB3x")
_MARK = struct.Struct("=II")
_IF_ID = struct.Struct("=I")
_OUTPUT_MARK = struct.Struct("=I")
_PADDED_TO = struct.Struct("=I")
_OFFLOAD = struct.Struct("=iB3x")

# Ours: any will do that nobody has; it lives for no longer than a request more takes.
_LARVAL_SPIS = (0x80000000, 0xFFFFFFFF)

# Specification: a policy's index carries its direction in the lowest bits (xfrm_policy_id2dir).
INDEX_STEP = 8


@dataclass(frozen=True, slots=True)
class Carried:
    """What a moved SA takes along: attributes as the kernel gave them.

    `sent` is the last sequence number that it has used, `begins_at` the one it goes on from.
    """

    counters: bytes
    replay_type: int
    replay: bytes = field(repr=False)
    sent: int
    begins_at: int

    def attributes(self) -> bytes:
        """The attributes of the new state."""
        replay = write_attribute(self.replay_type, self.replay)
        return write_attribute(XFRMA_LTIME_VAL, self.counters) + replay


def new_sa(request: SaRequest, carried: Carried | None = None, own_mark: int = 0) -> Message:
    """Add an SA, with the counters and the window of one it replaces, and the mark of its owner."""
    return Message(XFRM_MSG_NEWSA, _sa(request, carried, own_mark))


def update_sa(request: SaRequest) -> Message:
    """Give an SA that is there other ports and limits; its counters and window stay."""
    return Message(XFRM_MSG_UPDSA, _sa(request, None, 0))


def delete_sa(sa_id: SaId) -> Message:
    """Remove an SA."""
    return Message(XFRM_MSG_DELSA, _named(sa_id))


def look_up_sa(sa_id: SaId) -> Message:
    """Ask for an SA."""
    return Message(XFRM_MSG_GETSA, _named(sa_id))


def name_larval(policy: PolicyRequest, source: bytes, destination: bytes) -> Message:
    """Give an SPI to what stands for the SA that a packet of a policy waits for.

    It has none before, and nothing without an SPI can be removed. The answer tells which. The
    addresses are those that the kernel has told, of the family of the policy's ends.
    """
    info = _USERSA_WANTED.pack(
        ID.pack(destination, b"", _protocol(policy.protocol)),
        source,
        policy.reqid,
        family_of(policy.tunnel_destination),
        MODES[policy.mode],
    )
    body = info + _SPI_RANGE.pack(*_LARVAL_SPIS)
    return Message(XFRM_MSG_ALLOCSPI, body + _scope(policy))


def update_policy(
    policy: PolicyRequest, selector: XfrmSelector, index: int, own_mark: int = 0
) -> Message:
    """Put one of a policy's XFRM policies in force, in place of one that selects the same."""
    return Message(XFRM_MSG_UPDPOLICY, _policy(policy, selector, index, own_mark))


def look_up_policy(policy: PolicyRequest, selector: XfrmSelector) -> Message:
    """Ask for an XFRM policy by what it selects."""
    body = POLICY_ID.pack(selector.octets(), 0, policy.direction) + _scope(policy)
    return Message(XFRM_MSG_GETPOLICY, body)


def delete_policy(policy: PolicyRequest, index: int) -> Message:
    """Remove an XFRM policy by its index."""
    body = POLICY_ID.pack(ANY_SELECTOR, index, policy.direction) + _scope(policy)
    return Message(XFRM_MSG_DELPOLICY, body)


def delete_policy_by_selector(policy: PolicyRequest, selector: XfrmSelector) -> Message:
    """Remove an XFRM policy by what it selects."""
    body = POLICY_ID.pack(selector.octets(), 0, policy.direction) + _scope(policy)
    return Message(XFRM_MSG_DELPOLICY, body)


def selectors_of(policy: PolicyRequest) -> tuple[XfrmSelector, ...]:
    """What the XFRM policies select that make up this one."""
    return xfrm_selectors(policy.source, policy.destination)


def index_of(number: int, direction: Direction) -> int:
    """The index of a policy in this direction; different numbers are different indices."""
    return number * INDEX_STEP | direction


def _sa(request: SaRequest, carried: Carried | None, own_mark: int) -> bytes:
    if request.protocol == ProtocolId.AH and request.encapsulation is not None:
        raise KernelRefusal(errno.EINVAL, "AH does not go in UDP: a NAT is on the way, or encap")
    window, replay = _replay(request)
    parts = [
        _state_selector(request),
        _id(request.sa_id),
        request.source.packed.ljust(16, b"\0"),
        _lifetime(request.lifetime),
        bytes(LIFETIME_CURRENT.size),
        _SA_END.pack(
            0, 0, 0,
            own_mark, request.reqid,
            family_of(request.destination), mode_of(request), window, flags_of(request),
        ),
        write_algorithms(request),
        _encapsulation(request),
        replay if carried is None else carried.attributes(),
        _mark(request.mark),
        _output_mark(request.output_mark),
        extra_flags(request),
        _if_id(request.if_id),
        _tfc_padding(request),
        _offload(request),
    ]  # fmt: skip
    return b"".join(parts)


def _replay(request: SaRequest) -> tuple[int, bytes]:
    """The window in the fixed part or, where that is too narrow, in an attribute.

    An outbound SA needs none, but the kernel refuses ESN without.
    """
    width = request.replay_window if request.direction == Direction.IN else 0
    if not request.suite.esn and width <= _WIDEST_LEGACY_WINDOW:
        return width, b""
    width = max(width, _WIDEST_LEGACY_WINDOW)
    words = -(-width // _WORD_BITS)
    state = _REPLAY_ESN.pack(words, 0, 0, 0, 0, width) + bytes(words * 4)
    return 0, write_attribute(XFRMA_REPLAY_ESN_VAL, state)


def _state_selector(request: SaRequest) -> bytes:
    """In transport mode the kernel holds packets against it; in tunnel mode policies do that."""
    if request.mode is Mode.TUNNEL or request.selectors is None:
        return ANY_SELECTOR
    selectors = xfrm_selectors(*request.selectors)
    # A state has one selector only: where ours are several, the policies alone select.
    return selectors[0].octets() if len(selectors) == 1 else ANY_SELECTOR


def _tfc_padding(request: SaRequest) -> bytes:
    """The kernel pads what leaves in tunnel mode by ESP, and takes no such word for other SAs."""
    is_sender = request.direction is Direction.OUT and is_tunnel(request)
    if not request.tfc_padding or not is_sender or request.protocol != ProtocolId.ESP:
        return b""
    return write_attribute(XFRMA_TFCPAD, _PADDED_TO.pack(request.tfc_padding))


def _offload(request: SaRequest) -> bytes:
    """The device is the kernel's to find, by the SA's addresses."""
    if request.offload is HwOffload.NO:
        return b""
    flags = _XFRM_OFFLOAD_INBOUND if request.direction is Direction.IN else 0
    return write_attribute(XFRMA_OFFLOAD_DEV, _OFFLOAD.pack(0, flags))


def _encapsulation(request: SaRequest) -> bytes:
    ports = request.encapsulation
    if ports is None:
        return b""
    source, destination = (
        port.to_bytes(2, "big") for port in (ports.source_port, ports.destination_port)
    )
    value = _ENCAPSULATION.pack(_UDP_ENCAP_ESPINUDP, source, destination)
    return write_attribute(XFRMA_ENCAP, value)


def _lifetime(lifetime: Lifetime) -> bytes:
    counts = (
        lifetime.soft_bytes,
        lifetime.hard_bytes,
        lifetime.soft_packets,
        lifetime.hard_packets,
    )
    limits = (count or _NO_LIMIT for count in counts)
    return _LIFETIME.pack(*limits, lifetime.soft_seconds, lifetime.hard_seconds, 0, 0)


def _id(sa_id: SaId) -> bytes:
    destination = sa_id.destination.packed
    return ID.pack(destination, sa_id.spi.to_bytes(4, "big"), _protocol(sa_id.protocol))


def _named(sa_id: SaId) -> bytes:
    named = SA_NAME.pack(
        sa_id.destination.packed,
        sa_id.spi.to_bytes(4, "big"),
        family_of(sa_id.destination),
        _protocol(sa_id.protocol),
    )
    source = sa_id.source.packed.ljust(16, b"\0")
    return named + write_attribute(XFRMA_SRCADDR, source) + _mark(sa_id.mark)


def _policy(policy: PolicyRequest, selector: XfrmSelector, index: int, own_mark: int) -> bytes:
    block = policy.action is PolicyAction.DROP
    parts = [
        selector.octets(),
        _lifetime(Lifetime(soft_packets=own_mark)),
        bytes(LIFETIME_CURRENT.size),
        _POLICY_END.pack(priority_of(policy), index, policy.direction, block, 0, 0),
        _template(policy),
        _scope(policy),
    ]
    return b"".join(parts)


def _template(policy: PolicyRequest) -> bytes:
    if policy.action is not PolicyAction.PROTECT:
        return b""
    if not policy.compressed:
        return write_attribute(XFRMA_TMPL, _layer(policy, policy.protocol, policy.mode))
    # What would not get smaller comes in without having been compressed.
    is_optional = policy.direction is not Direction.OUT
    compressed = _layer(policy, IPCOMP, policy.mode, is_optional)
    protected = _layer(policy, policy.protocol, Mode.TRANSPORT)
    return write_attribute(XFRMA_TMPL, compressed + protected)


def _layer(
    policy: PolicyRequest, protocol: ProtocolId, mode: Mode, is_optional: bool = False
) -> bytes:
    """A template: one of the SAs that a packet goes through."""
    destination, source = policy.tunnel_destination, policy.tunnel_source
    # In transport mode the packet's own addresses are meant: none may be named.
    is_tunnel = mode is Mode.TUNNEL
    return _TEMPLATE.pack(
        ID.pack(destination.packed if is_tunnel else b"", b"", _protocol(protocol)),
        family_of(destination),
        source.packed if is_tunnel else b"",
        policy.reqid,
        MODES[mode],
        0,
        is_optional,
        _ALL_ALGORITHMS,
        _ALL_ALGORITHMS,
        _ALL_ALGORITHMS,
    )


def _scope(policy: PolicyRequest) -> bytes:
    return _mark(policy.mark) + _if_id(policy.if_id)


def _mark(mark: Mark | None) -> bytes:
    if mark is None:
        return b""
    return write_attribute(XFRMA_MARK, _MARK.pack(mark.value, mark.mask))


def _output_mark(mark: Mark | None) -> bytes:
    if mark is None:
        return b""
    value = write_attribute(XFRMA_SET_MARK, _OUTPUT_MARK.pack(mark.value))
    return value + write_attribute(XFRMA_SET_MARK_MASK, _OUTPUT_MARK.pack(mark.mask))


def _if_id(if_id: int) -> bytes:
    return write_attribute(XFRMA_IF_ID, _IF_ID.pack(if_id)) if if_id else b""


def _protocol(protocol: ProtocolId) -> int:
    number = IP_PROTOCOLS.get(protocol)
    if number is None:
        raise KernelRefusal(errno.EINVAL, f"{protocol.name} is no protocol of XFRM")
    return number


IP_PROTOCOLS: dict[ProtocolId, int] = {ProtocolId.ESP: 50, ProtocolId.AH: 51, IPCOMP: 108}
