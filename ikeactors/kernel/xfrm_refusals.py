"""Why the kernel refused, for people: its errno and what is likely missing."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from ikeactors.iana import Encr, Integ, ProtocolId
from ikeactors.kernel.compression import IPCOMP
from ikeactors.kernel.netlink import Acknowledgement
from ikeactors.kernel.requests import KernelRefusal, SaRequest


def refusal_of(acknowledgement: Acknowledgement, request: SaRequest | None) -> KernelRefusal:
    """The refusal of an SA, or with `request` None of a policy."""
    number = acknowledgement.errno
    name = errno.errorcode.get(number, str(number))
    said = f"{name}: {acknowledgement.text}" if acknowledgement.text else name
    reason = reason_of(number, request)
    if request is None:
        return KernelRefusal(number, f"the kernel refused the policy: {reason} ({said})")
    what = f"the SA {request.spi:#010x}, {request.suite}"
    if request.protocol == IPCOMP:
        what = f"the compression association {request.spi:#06x}"
    return KernelRefusal(number, f"the kernel refused {what}: {reason} ({said})")


def reason_of(number: int, request: SaRequest | None) -> str:
    """Why the kernel says this of an SA, or with `request` None of a policy."""
    if request is not None and number == errno.EPROTONOSUPPORT:
        option, module, what = _PROTOCOLS[request.protocol, request.destination.version]
        return f"the kernel has no {what} ({option}) and no module {module}"
    if request is not None and number in (errno.ENOSYS, errno.ENOENT):
        hints = " or ".join(f"{option}, module {module}" for option, module in _needed(request))
        return f"it lacks an algorithm ({hints or 'CONFIG_CRYPTO'})"
    return _REASONS.get(number, "it gives no reason")


def _needed(request: SaRequest) -> Iterator[tuple[str, str]]:
    suite = request.suite
    if request.protocol == IPCOMP:
        yield "CONFIG_CRYPTO_DEFLATE", "deflate"
        return
    if request.protocol == ProtocolId.ESP and suite.encr in _ENCR_OPTIONS:
        yield _ENCR_OPTIONS[suite.encr]
    if suite.integ in _INTEG_OPTIONS:
        yield _INTEG_OPTIONS[suite.integ]
    if suite.esn and not suite.cipher.is_aead and request.protocol == ProtocolId.ESP:
        yield "CONFIG_CRYPTO_AUTHENC", "authencesn"


_REASONS = {
    errno.EPERM: "the privilege CAP_NET_ADMIN is missing",
    errno.EEXIST: "there is one of that name already",
    errno.ESRCH: "it is not there",
    errno.ENOENT: "it is not there",
    errno.ENOMEM: "it has no memory left",
    errno.ENOBUFS: "its answer was lost",
    errno.EINVAL: "it takes something in it for invalid; an older kernel may lack an option",
    errno.EOPNOTSUPP: "it lacks an option of XFRM",
    errno.ENOPROTOOPT: "it has no XFRM over netlink (CONFIG_XFRM_USER, module xfrm_user)",
    errno.EAFNOSUPPORT: "it lacks the address family",
    errno.EPROTONOSUPPORT: "it lacks the protocol",
}

_PROTOCOLS = {
    (ProtocolId.ESP, 4): ("CONFIG_INET_ESP", "esp4", "ESP"),
    (ProtocolId.ESP, 6): ("CONFIG_INET6_ESP", "esp6", "ESP for IPv6"),
    (ProtocolId.AH, 4): ("CONFIG_INET_AH", "ah4", "AH"),
    (ProtocolId.AH, 6): ("CONFIG_INET6_AH", "ah6", "AH for IPv6"),
    (IPCOMP, 4): ("CONFIG_INET_IPCOMP", "ipcomp", "IPComp"),
    (IPCOMP, 6): ("CONFIG_INET6_IPCOMP", "ipcomp6", "IPComp for IPv6"),
}

_GCM = ("CONFIG_CRYPTO_GCM", "gcm")
_CCM = ("CONFIG_CRYPTO_CCM", "ccm")
_ENCR_OPTIONS = {
    Encr.AES_GCM_8: _GCM,
    Encr.AES_GCM_12: _GCM,
    Encr.AES_GCM_16: _GCM,
    Encr.NULL_AUTH_AES_GMAC: _GCM,
    Encr.AES_CCM_8: _CCM,
    Encr.AES_CCM_12: _CCM,
    Encr.AES_CCM_16: _CCM,
    Encr.CHACHA20_POLY1305: ("CONFIG_CRYPTO_CHACHA20POLY1305", "chacha20poly1305"),
    Encr.AES_CBC: ("CONFIG_CRYPTO_CBC", "cbc"),
    Encr.AES_CTR: ("CONFIG_CRYPTO_CTR", "ctr"),
    Encr.TRIPLE_DES: ("CONFIG_CRYPTO_DES", "des_generic"),
    Encr.NULL: ("CONFIG_CRYPTO_NULL", "crypto_null"),
}

_SHA1 = ("CONFIG_CRYPTO_SHA1", "sha1_generic")
_MD5 = ("CONFIG_CRYPTO_MD5", "md5")
_SHA512 = ("CONFIG_CRYPTO_SHA512", "sha512_generic")
_INTEG_OPTIONS = {
    Integ.HMAC_MD5_96: _MD5,
    Integ.HMAC_MD5_128: _MD5,
    Integ.HMAC_SHA1_96: _SHA1,
    Integ.HMAC_SHA1_160: _SHA1,
    Integ.HMAC_SHA2_256_128: ("CONFIG_CRYPTO_SHA256", "sha256_generic"),
    Integ.HMAC_SHA2_384_192: _SHA512,
    Integ.HMAC_SHA2_512_256: _SHA512,
    Integ.AES_XCBC_96: ("CONFIG_CRYPTO_XCBC", "xcbc"),
    Integ.AES_CMAC_96: ("CONFIG_CRYPTO_CMAC", "cmac"),
}
