"""Which data plane is taken, and why."""

from __future__ import annotations

import errno

import pytest

from ikeactors.actors.probing import probe, why_no_compression
from ikeactors.actors.xfrm import XfrmBackend
from ikeactors.kernel.requests import KernelRefusal
from tests.fakes.kernel import SimulatedKernel
from tests.fakes.netlink import DELSA, NEWSA, FakeXfrmSocket

USERSPACE = SimulatedKernel()


async def userspace() -> SimulatedKernel:
    """Opens the userspace data plane."""
    return USERSPACE


def entropy(count: int) -> bytes:
    """Random octets of a kind."""
    return bytes(range(count))


def no_xfrm() -> XfrmBackend:
    """A kernel without XFRM."""
    raise KernelRefusal(errno.EPROTONOSUPPORT, "the kernel has no XFRM netlink (CONFIG_XFRM_USER)")


async def test_what_is_configured_is_taken() -> None:
    kernel = FakeXfrmSocket()
    backend = XfrmBackend(kernel, FakeXfrmSocket())
    assert (await probe("userspace", entropy, userspace, no_xfrm)).backend is USERSPACE
    assert (await probe("xfrm", entropy, userspace, lambda: backend)).backend is backend
    assert kernel.sas == {}


async def test_what_is_configured_and_cannot_work_is_refused_at_once() -> None:
    kernel = FakeXfrmSocket()
    kernel.refuse[0] = (errno.EPROTONOSUPPORT, "Requested type not found")
    with pytest.raises(KernelRefusal, match=r"is configured, but .* no ESP \(CONFIG_INET_ESP\)"):
        await probe("xfrm", entropy, userspace, lambda: XfrmBackend(kernel, FakeXfrmSocket()))
    assert not kernel.is_open
    with pytest.raises(KernelRefusal, match="CONFIG_XFRM_USER"):
        await probe("xfrm", entropy, userspace, no_xfrm)


async def test_auto_takes_the_kernels_ipsec_where_it_takes_an_sa() -> None:
    kernel = FakeXfrmSocket()
    choice = await probe("auto", entropy, userspace, lambda: XfrmBackend(kernel, FakeXfrmSocket()))
    assert choice.backend.name == "xfrm"
    assert kernel.asked == [NEWSA, DELSA]
    assert kernel.sas == {}


async def test_auto_takes_userspace_where_the_kernel_has_no_esp() -> None:
    kernel, events = FakeXfrmSocket(), FakeXfrmSocket()
    kernel.refuse[0] = (errno.EPROTONOSUPPORT, "Requested type not found")
    choice = await probe("auto", entropy, userspace, lambda: XfrmBackend(kernel, events))
    assert choice.backend is USERSPACE
    assert "the kernel has no ESP (CONFIG_INET_ESP)" in choice.reason
    assert not kernel.is_open
    assert not events.is_open


async def test_auto_takes_userspace_where_the_kernel_has_no_xfrm() -> None:
    choice = await probe("auto", entropy, userspace, no_xfrm)
    assert choice.backend is USERSPACE
    assert "CONFIG_XFRM_USER" in choice.reason


def test_compression_is_tried_where_it_is_asked_for() -> None:
    kernel = FakeXfrmSocket()
    backend = XfrmBackend(kernel, FakeXfrmSocket())
    assert why_no_compression(backend, entropy) == ""
    assert kernel.sas == {}
    kernel.refuse[2] = (errno.EPROTONOSUPPORT, "")
    assert "CONFIG_INET_IPCOMP" in why_no_compression(backend, entropy)
    assert "user space" in why_no_compression(USERSPACE, entropy)
