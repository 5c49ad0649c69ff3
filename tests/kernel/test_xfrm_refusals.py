"""What an operator reads when the kernel refuses."""

from __future__ import annotations

import errno
from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikeactors.crypto.suite import ChildSuite
from ikeactors.iana import Encr, Integ, KeyExchangeMethod, ProtocolId
from ikeactors.kernel.compression import with_compression
from ikeactors.kernel.netlink import Acknowledgement
from ikeactors.kernel.requests import SaRequest
from ikeactors.kernel.xfrm_refusals import refusal_of
from tests.fakes.sas import CBC, sa

AH = sa(
    suite=ChildSuite(
        ProtocolId.AH, Encr.NULL, None, Integ.AES_CMAC_96, KeyExchangeMethod.NONE, esn=False
    )
)
V6 = replace(sa(), source=ip_address("fd77::1"), destination=ip_address("fd77::2"))
COMPRESSION = with_compression(replace(sa(), cpi=0x1234))[0]


@pytest.mark.parametrize(
    ("number", "request_", "text"),
    [
        (errno.EPROTONOSUPPORT, sa(), "no ESP (CONFIG_INET_ESP) and no module esp4"),
        (errno.EPROTONOSUPPORT, V6, "no ESP for IPv6 (CONFIG_INET6_ESP) and no module esp6"),
        (errno.EPROTONOSUPPORT, AH, "no AH (CONFIG_INET_AH) and no module ah4"),
        (errno.ENOSYS, sa(), "ESP:AES_GCM_16_128/NO_ESN: it lacks an algorithm (CONFIG_CRYPTO_GCM"),
        (errno.ENOENT, AH, "an algorithm (CONFIG_CRYPTO_CMAC, module cmac) (ENOENT)"),
        (
            errno.ENOSYS,
            sa(suite=replace(CBC, esn=True)),
            "(CONFIG_CRYPTO_CBC, module cbc or CONFIG_CRYPTO_SHA256, module sha256_generic or"
            " CONFIG_CRYPTO_AUTHENC, module authencesn)",
        ),
        (errno.EPROTONOSUPPORT, COMPRESSION, "no IPComp (CONFIG_INET_IPCOMP) and no module ipcomp"),
        (
            errno.ENOSYS,
            COMPRESSION,
            "the compression association 0x1234: it lacks an algorithm (CONFIG_CRYPTO_DEFLATE",
        ),
        (errno.ENOPROTOOPT, None, "the policy: it has no XFRM over netlink (CONFIG_XFRM_USER"),
        (errno.ESRCH, None, "it is not there"),
        (errno.ENOMEM, sa(), "it has no memory left"),
        (errno.EEXIST, sa(), "there is one of that name already"),
        (errno.EPERM, None, "CAP_NET_ADMIN"),
        (12345, None, "no reason (12345)"),
    ],
)
def test_a_refusal_says_what_is_missing(number: int, request_: SaRequest | None, text: str) -> None:
    refusal = refusal_of(Acknowledgement(number), request_)
    assert text in str(refusal)
    assert refusal.errno == number


def test_the_kernels_own_words_come_last() -> None:
    refusal = refusal_of(Acknowledgement(errno.EINVAL, "Bad window"), sa())
    assert str(refusal).endswith("(EINVAL: Bad window)")
