"""XFRM interfaces: devices that carry what the SAs with their number protect.

Octets and sums only: who makes them is `actors.xfrm_interfaces`.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface

from ikeactors.iana import ProtocolId
from ikeactors.kernel.requests import Mode, SaRequest

# Specification: no link that carries IPv6 has less (RFC 8200 section 5). The kernel takes IPv6
# off a device with a smaller MTU.
LEAST_MTU = 1280
_IP_HEADER = {4: 20, 6: 40}
_UDP_HEADER = 8
_ESP_HEADER = 8
_ESP_TRAILER = 2
_ESP_ALIGNMENT = 4
_AH_HEADER = 12
_AH_ALIGNMENT = {4: 4, 6: 8}


@dataclass(frozen=True, slots=True)
class Interface:
    """An XFRM interface of ours. `mtu` 0 is computed; `device` is what it lies upon, if any."""

    name: str
    if_id: int
    mtu: int = 0
    addresses: tuple[IPv4Interface | IPv6Interface, ...] = ()
    device: str = ""
    routes: bool = True


def inner_mtu(request: SaRequest, outer_mtu: int) -> int:
    """The longest packet that, protected by an SA, is no longer than `outer_mtu`.

    At least what IPv6 asks of every link: below that it is the outer packets that are in fragments.
    """
    header = _IP_HEADER[request.destination.version]
    space = outer_mtu - header
    is_ah = request.protocol == ProtocolId.AH
    inner = _within_ah(request, space) if is_ah else _within_esp(request, space)
    # In transport mode the packet's own header is the outer one.
    return max(LEAST_MTU, inner if request.mode is Mode.TUNNEL else inner + header)


def _within_esp(request: SaRequest, space: int) -> int:
    cipher = request.suite.cipher
    space -= _ESP_HEADER + cipher.iv_octets + cipher.icv_octets
    space -= _UDP_HEADER if request.encapsulation is not None else 0
    alignment = max(cipher.block_octets, _ESP_ALIGNMENT)
    return space // alignment * alignment - _ESP_TRAILER


def _within_ah(request: SaRequest, space: int) -> int:
    alignment = _AH_ALIGNMENT[request.destination.version]
    header = _AH_HEADER + request.suite.icv_octets
    return space - -(-header // alignment) * alignment
