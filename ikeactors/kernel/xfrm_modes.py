"""The mode of an XFRM state, and the flags that say what becomes of the headers (linux/xfrm.h)."""

from __future__ import annotations

import struct

from ikeactors.iana import ProtocolId
from ikeactors.kernel.netlink import write_attribute
from ikeactors.kernel.requests import CopyDscp, Mode, SaRequest

XFRMA_SA_EXTRA_FLAGS = 24
_XFRM_STATE_NOECN = 1
_XFRM_STATE_DECAP_DSCP = 2
_XFRM_STATE_NOPMTUDISC = 4
_XFRM_STATE_AF_UNSPEC = 32
_XFRM_STATE_ALIGN4 = 64
_XFRM_STATE_ESN = 128
_XFRM_SA_XFLAG_DONT_ENCAP_DSCP = 1
_FLAGS = struct.Struct("=I")


def mode_of(request: SaRequest) -> int:
    """What is compressed is in its tunnel when it comes to the SA."""
    return MODES[Mode.TRANSPORT if request.cpi else request.mode]


def flags_of(request: SaRequest) -> int:
    """In tunnel mode either family may be inside, and there are two headers to copy between.

    AH of IPv4 is padded to 32 bits (RFC 4302 section 3.3.3.2.1). Unless told so the kernel pads
    it to 64, which only another Linux understands.
    """
    flags = _XFRM_STATE_ESN if request.suite.esn else 0
    if request.protocol == ProtocolId.AH and request.destination.version == 4:
        flags |= _XFRM_STATE_ALIGN4
    if not is_tunnel(request):
        return flags
    copying = request.copying
    flags |= 0 if copying.ecn else _XFRM_STATE_NOECN
    flags |= 0 if copying.df else _XFRM_STATE_NOPMTUDISC
    flags |= _XFRM_STATE_DECAP_DSCP if copying.dscp in (CopyDscp.IN, CopyDscp.YES) else 0
    return flags | _XFRM_STATE_AF_UNSPEC


def is_tunnel(request: SaRequest) -> bool:
    """Whether this very SA makes the outer header."""
    return request.mode is Mode.TUNNEL and not request.cpi


def extra_flags(request: SaRequest) -> bytes:
    """The attribute with the flags that came later."""
    if not is_tunnel(request) or request.copying.dscp in (CopyDscp.OUT, CopyDscp.YES):
        return b""
    return write_attribute(XFRMA_SA_EXTRA_FLAGS, _FLAGS.pack(_XFRM_SA_XFLAG_DONT_ENCAP_DSCP))


MODES = {Mode.TRANSPORT: 0, Mode.TUNNEL: 1}
