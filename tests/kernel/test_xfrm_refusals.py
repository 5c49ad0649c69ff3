"""What an operator reads when the kernel refuses."""

from __future__ import annotations

import errno
from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikeactors.kernel.netlink import Acknowledgement
from ikeactors.kernel.requests import SaRequest
from ikeactors.kernel.xfrm_refusals import refusal_of
from tests.fakes.sas import sa

V6 = replace(sa(), source=ip_address("fd77::1"), destination=ip_address("fd77::2"))


@pytest.mark.parametrize(
    ("number", "request_", "text"),
    [
        (errno.EPROTONOSUPPORT, sa(), "the kernel has no ESP (CONFIG_INET_ESP)"),
        (errno.EPROTONOSUPPORT, V6, "the kernel has no ESP for IPv6 (CONFIG_INET6_ESP)"),
        (errno.ENOSYS, sa(), "ESP:AES_GCM_16_128/NO_ESN (CONFIG_CRYPTO_GCM)"),
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
