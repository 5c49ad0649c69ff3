"""What a kernel holds, as values that compare: a real kernel's dump and a simulated kernel's.

The real one is read by the second reading of linux/xfrm.h, so that our own codec is held against
it too.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from ikeactors.iana import ProtocolId
from ikeactors.kernel.netlink import Message, read_attributes
from ikeactors.kernel.policies import priority_of
from ikeactors.kernel.requests import (
    Direction,
    Lifetime,
    Mark,
    Mode,
    PolicyAction,
    PolicyRequest,
    SaId,
    SaRequest,
)
from ikeactors.kernel.xfrm_selectors import XfrmSelector, xfrm_selectors
from tests.kernel import structures
from tests.kernel.structures import address
from tests.simulation.kernel import HostKernel

Address = IPv4Address | IPv6Address
Fields = dict[str, object]
_NO_LIMIT = 0xFFFFFFFFFFFFFFFF
_ESN, _AF_UNSPEC = 128, 32
_ENCAP, _TMPL, _REPLAY_ESN, _MARK, _SET_MARK, _SET_MARK_MASK, _IF_ID = 4, 5, 23, 21, 29, 30, 31
_ALGORITHMS = {1, 2, 18, 20}
_PROTOCOLS = {50: "ESP", 51: "AH", 108: "IPCOMP"}
_MODES = {0: Mode.TRANSPORT, 1: Mode.TUNNEL}
_NOTHING = "any"


class Held(NamedTuple):
    """All SAs and policies, each in an order of its own."""

    sas: list[Fields]
    larval: list[str]
    policies: list[Fields]


class RealHeld(NamedTuple):
    """What a real kernel holds, and when it got it."""

    held: Held
    added_at: dict[SaId, float]


def held_by_real(sas: Iterable[Message], policies: Iterable[Message]) -> RealHeld:
    """What the answers to two dumps say."""
    added_at: dict[SaId, float] = {}
    found: list[Fields] = []
    larval: list[str] = []
    for message in sas:
        info = structures.SaInfo.from_buffer_copy(message.body)
        attributes = read_attributes(message.body, ctypes.sizeof(structures.SaInfo))
        sa_id = _real_name(info, attributes)
        if attributes.keys() & _ALGORITHMS:
            found.append(_real_sa(info, attributes))
            added_at[sa_id] = float(info.curlft.add_time)
        elif sa_id.spi:
            # One without an SPI is left of an attempt to reserve one, and in nobody's way.
            larval.append(str((sa_id.spi, sa_id.protocol, sa_id.destination)))
    held = Held(_sorted(found), sorted(larval), _sorted(_real_policy(one.body) for one in policies))
    return RealHeld(held, added_at)


def held_by_simulated(kernel: HostKernel) -> Held:
    """What a simulated kernel's SAs and policies would be dumped as."""
    named = {}
    for policy in kernel.policies.values():
        for one in _simulated_policies(policy):
            named[str((one["direction"], one["selects"], one["mark"], one["if_id"]))] = one
    sas = [_simulated_sa(one, kernel.traffic[one.sa_id].packets) for one in kernel.sas.values()]
    return Held(_sorted(sas), sorted(map(str, kernel.larval)), _sorted(named.values()))


def difference(real: Held, simulated: Held) -> str:
    """What only one of them holds."""
    lines = []
    for name, ours, others in zip(Held._fields, real, simulated, strict=True):
        lines += [f"only real, {name}: {one}" for one in ours if one not in others]
        lines += [f"only simulated, {name}: {one}" for one in others if one not in ours]
    return "\n".join(lines)


def _sorted(fields: Iterable[Fields]) -> list[Fields]:
    return sorted(fields, key=str)


def _real_name(info: structures.SaInfo, attributes: dict[int, bytes]) -> SaId:
    ends = (address(info.saddr, info.family), address(info.id.daddr, info.family))
    protocol = ProtocolId[_PROTOCOLS[info.id.proto]]
    return SaId(info.id.spi.value, protocol, *ends, _real_mark(attributes))


def _real_sa(info: structures.SaInfo, attributes: dict[int, bytes]) -> Fields:
    lifetime = info.lft
    return {
        "spi": info.id.spi.value,
        "protocol": _PROTOCOLS[info.id.proto],
        "source": address(info.saddr, info.family),
        "destination": address(info.id.daddr, info.family),
        "mode": _MODES[info.mode],
        "reqid": info.reqid,
        "esn": bool(info.flags & _ESN),
        "any family inside": bool(info.flags & _AF_UNSPEC),
        "window": _real_window(info, attributes),
        "lifetime": Lifetime(
            lifetime.soft_add_expires_seconds,
            lifetime.hard_add_expires_seconds,
            *(
                0 if limit == _NO_LIMIT else limit
                for limit in (
                    lifetime.soft_byte_limit,
                    lifetime.hard_byte_limit,
                    lifetime.soft_packet_limit,
                    lifetime.hard_packet_limit,
                )
            ),
        ),
        "packets": info.curlft.packets,
        "ports": _real_ports(attributes.get(_ENCAP)),
        "mark": _real_mark(attributes),
        "output mark": _real_output_mark(attributes),
        "if_id": _number(attributes.get(_IF_ID)),
        "selects": _NOTHING if info.mode == 1 else _real_selector(info.sel),
    }


def _simulated_sa(request: SaRequest, packets: int) -> Fields:
    inbound = request.direction is Direction.IN
    window = request.replay_window if inbound else 0
    ports = request.encapsulation
    selects = _NOTHING
    if request.mode is Mode.TRANSPORT:
        selects = _any_of(request.source)
    if request.mode is Mode.TRANSPORT and request.selectors is not None:
        (selector,) = xfrm_selectors(*request.selectors)
        selects = _said(selector)
    return {
        "spi": request.spi,
        "protocol": request.protocol.name,
        "source": request.source,
        "destination": request.destination,
        "mode": request.mode,
        "reqid": request.reqid,
        "esn": request.suite.esn,
        "any family inside": request.mode is Mode.TUNNEL,
        # There is none narrower where the sequence number is extended.
        "window": max(window, 32) if request.suite.esn else window,
        "lifetime": request.lifetime,
        "packets": packets,
        "ports": ports and (ports.source_port, ports.destination_port),
        "mark": request.mark,
        "output mark": request.output_mark,
        "if_id": request.if_id,
        "selects": selects,
    }


def _real_policy(body: bytes) -> Fields:
    info = structures.PolicyInfo.from_buffer_copy(body)
    attributes = read_attributes(body, ctypes.sizeof(structures.PolicyInfo))
    template: object = None
    if _TMPL in attributes:
        found = structures.Template.from_buffer_copy(attributes[_TMPL])
        mode = _MODES[found.mode]
        ends = (address(found.saddr, found.family), address(found.id.daddr, found.family))
        template = (mode, _PROTOCOLS[found.id.proto], found.reqid,
                    ends if mode is Mode.TUNNEL else None)  # fmt: skip
    return {
        "direction": Direction(info.dir),
        "selects": _real_selector(info.sel),
        "mark": _real_mark(attributes),
        "if_id": _number(attributes.get(_IF_ID)),
        "priority": info.priority,
        "is block": bool(info.action),
        "template": template,
    }


def _simulated_policies(policy: PolicyRequest) -> list[Fields]:
    template: object = None
    if policy.action is PolicyAction.PROTECT:
        ends = (policy.tunnel_source, policy.tunnel_destination)
        template = (policy.mode, policy.protocol.name, policy.reqid,
                    ends if policy.mode is Mode.TUNNEL else None)  # fmt: skip
    return [
        {
            "direction": policy.direction,
            "selects": _said(selector),
            "mark": policy.mark,
            "if_id": policy.if_id,
            "priority": priority_of(policy),
            "is block": policy.action is PolicyAction.DROP,
            "template": template,
        }
        for selector in xfrm_selectors(policy.source, policy.destination)
    ]


def _real_window(info: structures.SaInfo, attributes: dict[int, bytes]) -> int:
    wide = attributes.get(_REPLAY_ESN)
    if wide is None:
        return int(info.replay_window)
    return int(structures.ReplayEsn.from_buffer_copy(wide).replay_window)


def _real_ports(value: bytes | None) -> tuple[int, int] | None:
    if value is None:
        return None
    found = structures.Encapsulation.from_buffer_copy(value)
    return found.encap_sport.value, found.encap_dport.value


def _real_mark(attributes: dict[int, bytes]) -> Mark | None:
    value = attributes.get(_MARK)
    return None if value is None else Mark(*struct.unpack("=II", value))


def _real_output_mark(attributes: dict[int, bytes]) -> Mark | None:
    if _SET_MARK not in attributes:
        return None
    return Mark(_number(attributes[_SET_MARK]), _number(attributes.get(_SET_MARK_MASK)))


def _number(value: bytes | None) -> int:
    return 0 if value is None else int(struct.unpack("=I", value)[0])


def _any_of(end: Address) -> str:
    any_ = "0.0.0.0/0" if end.version == 4 else "::/0"
    return f"{any_} {any_} 0 0/0 0/0"


def _real_selector(found: structures.Selector) -> str:
    return (
        f"{address(found.saddr, found.family)}/{found.prefixlen_s}"
        f" {address(found.daddr, found.family)}/{found.prefixlen_d} {found.proto}"
        f" {found.sport.value}/{found.sport_mask.value}"
        f" {found.dport.value}/{found.dport_mask.value}"
    )


def _said(selector: XfrmSelector) -> str:
    source, destination = selector.source_ports, selector.destination_ports
    return (
        f"{selector.source} {selector.destination} {selector.protocol}"
        f" {source.port}/{source.mask} {destination.port}/{destination.mask}"
    )
