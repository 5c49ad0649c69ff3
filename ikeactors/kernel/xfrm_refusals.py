"""Why the kernel refused, for people: its errno and what is likely missing."""

from __future__ import annotations

import errno

from ikeactors.iana import Encr, Integ, ProtocolId
from ikeactors.kernel.netlink import Acknowledgement
from ikeactors.kernel.requests import KernelRefusal, SaRequest


def refusal_of(acknowledgement: Acknowledgement, request: SaRequest | None) -> KernelRefusal:
    """The refusal of an SA, or with `request` None of a policy."""
    number = acknowledgement.errno
    name = errno.errorcode.get(number, str(number))
    said = f"{name}: {acknowledgement.text}" if acknowledgement.text else name
    reason = _reason(number, request)
    what = "the policy" if request is None else f"the SA {request.spi:#010x}"
    return KernelRefusal(number, f"the kernel refused {what}: {reason} ({said})")


def _reason(number: int, request: SaRequest | None) -> str:
    if request is not None and number == errno.EPROTONOSUPPORT:
        return _MISSING_PROTOCOLS[request.protocol, request.destination.version]
    if request is not None and number in (errno.ENOSYS, errno.ENOENT):
        suite = request.suite
        options = (_ENCR_OPTIONS.get(suite.encr), _INTEG_OPTIONS.get(suite.integ))
        hint = " or ".join(filter(None, options)) or "CONFIG_CRYPTO"
        return f"it lacks an algorithm of {suite} ({hint})"
    return _REASONS.get(number, "it gives no reason")


_REASONS = {
    errno.EPERM: "the privilege CAP_NET_ADMIN is missing",
    errno.EEXIST: "there is one of that name already",
    errno.ESRCH: "it is not there",
    errno.ENOENT: "it is not there",
    errno.ENOMEM: "it has no memory left",
    errno.ENOBUFS: "its answer was lost",
    errno.EINVAL: "it takes something in it for invalid; an older kernel may lack an option",
    errno.EOPNOTSUPP: "it lacks an option of XFRM",
    errno.EAFNOSUPPORT: "it lacks the address family",
    errno.EPROTONOSUPPORT: "it lacks the protocol",
}

_MISSING_PROTOCOLS = {
    (ProtocolId.ESP, 4): "the kernel has no ESP (CONFIG_INET_ESP)",
    (ProtocolId.ESP, 6): "the kernel has no ESP for IPv6 (CONFIG_INET6_ESP)",
    (ProtocolId.AH, 4): "the kernel has no AH (CONFIG_INET_AH)",
    (ProtocolId.AH, 6): "the kernel has no AH for IPv6 (CONFIG_INET6_AH)",
}

# Modules of their own in the kernel; what is not here comes with ESP.
_ENCR_OPTIONS = {
    Encr.AES_GCM_8: "CONFIG_CRYPTO_GCM",
    Encr.AES_GCM_12: "CONFIG_CRYPTO_GCM",
    Encr.AES_GCM_16: "CONFIG_CRYPTO_GCM",
    Encr.NULL_AUTH_AES_GMAC: "CONFIG_CRYPTO_GCM",
    Encr.AES_CCM_8: "CONFIG_CRYPTO_CCM",
    Encr.AES_CCM_12: "CONFIG_CRYPTO_CCM",
    Encr.AES_CCM_16: "CONFIG_CRYPTO_CCM",
    Encr.CHACHA20_POLY1305: "CONFIG_CRYPTO_CHACHA20POLY1305",
    Encr.AES_CTR: "CONFIG_CRYPTO_CTR",
    Encr.TRIPLE_DES: "CONFIG_CRYPTO_DES",
}

_INTEG_OPTIONS = {
    Integ.AES_XCBC_96: "CONFIG_CRYPTO_XCBC",
    Integ.AES_CMAC_96: "CONFIG_CRYPTO_CMAC",
}
