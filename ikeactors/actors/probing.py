"""Which data plane there is: asked once, at the daemon's start."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from ikeactors.actors.backends import Backend
from ikeactors.actors.netlink import NetlinkSocket
from ikeactors.actors.xfrm import EVENT_GROUPS, FIRST_POLICY_NUMBER, XfrmBackend
from ikeactors.crypto.suite import ChildSuite
from ikeactors.iana import Encr, Integ, KeyExchangeMethod, ProtocolId
from ikeactors.kernel.compression import with_compression
from ikeactors.kernel.requests import Direction, KernelRefusal, Mode, SaRequest

OpenXfrm = Callable[[], XfrmBackend]
Entropy = Callable[[int], bytes]
OpenUserspace = Callable[[], Awaitable[Backend]]

# Nothing is ever sent to or from these: the probe's SA names addresses of the loopback network.
_PROBE_SOURCE = IPv4Address("127.0.20.1")
_PROBE_DESTINATION = IPv4Address("127.0.20.2")
_SMALLEST_SPI = 0x100
_PROBE_CPI = 0x100


@dataclass(frozen=True, slots=True)
class Choice:
    """A data plane, and why it is this one: a sentence for the log and for `status`."""

    backend: Backend
    reason: str
    compresses: bool = False


def open_xfrm() -> XfrmBackend:
    """The kernel's IPsec; raises KernelRefusal where the kernel has no XFRM at all."""
    requests = NetlinkSocket()
    try:
        first = FIRST_POLICY_NUMBER + int.from_bytes(os.urandom(4), "big") % FIRST_POLICY_NUMBER
        return XfrmBackend(requests, NetlinkSocket(EVENT_GROUPS), first)
    except KernelRefusal:
        requests.close()
        raise


async def probe(
    kind: str,
    entropy: Entropy,
    open_userspace: OpenUserspace,
    open_xfrm: OpenXfrm = open_xfrm,
) -> Choice:
    """The back end called `kind`; "auto" takes the kernel's IPsec where that takes an ESP SA.

    Raises KernelRefusal where the one that is configured cannot work.
    """
    if kind == "userspace":
        return Choice(await open_userspace(), "userspace is configured")
    try:
        backend = await _tried(open_xfrm(), _probe_sa(entropy))
    except KernelRefusal as refusal:
        if kind == "xfrm":
            text = f'kernel = "xfrm" is configured, but {refusal}'
            raise KernelRefusal(refusal.errno, text) from None
        return Choice(await open_userspace(), f"userspace because {refusal}")
    return Choice(backend, "xfrm because the kernel took an ESP SA to try")


async def _tried(backend: XfrmBackend, request: SaRequest) -> XfrmBackend:
    """The back end, unless the kernel refuses this SA."""
    try:
        backend.try_sa(request)
    except KernelRefusal:
        await backend.aclose()
        raise
    return backend


def why_no_compression(backend: Backend, entropy: Entropy) -> str:
    """Why this data plane does not compress; empty where it does."""
    if not isinstance(backend, XfrmBackend):
        return "the data plane in user space does not"
    association, _ = with_compression(replace(_probe_sa(entropy), cpi=_PROBE_CPI))
    try:
        backend.try_sa(association)
    except KernelRefusal as refusal:
        return str(refusal)
    return ""


def _probe_sa(entropy: Entropy) -> SaRequest:
    """An SA of the algorithms that every kernel with ESP has."""
    suite = ChildSuite(
        ProtocolId.ESP,
        Encr.AES_CBC,
        128,
        Integ.HMAC_SHA1_96,
        KeyExchangeMethod.NONE,
        esn=False,
    )
    return SaRequest(
        spi=int.from_bytes(entropy(4), "big") | _SMALLEST_SPI,
        protocol=ProtocolId.ESP,
        direction=Direction.IN,
        source=_PROBE_SOURCE,
        destination=_PROBE_DESTINATION,
        mode=Mode.TUNNEL,
        reqid=0,
        suite=suite,
        encr_key=entropy(suite.encr_key_octets),
        integ_key=entropy(suite.integ_key_octets),
    )
