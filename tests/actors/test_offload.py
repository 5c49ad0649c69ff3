"""What becomes of SAs that a device is to carry."""

from __future__ import annotations

import errno
from dataclasses import replace

from ikeactors.actors.netlink import Reply
from ikeactors.actors.offload import offloaded
from ikeactors.kernel.netlink import Acknowledgement, Message, write_attribute
from ikeactors.kernel.requests import HwOffload
from ikeactors.kernel.xfrm import (
    XFRM_MSG_DELSA,
    XFRM_MSG_GETSA,
    XFRM_MSG_NEWSA,
    XFRMA_OFFLOAD_DEV,
    new_sa,
)
from tests.fakes.sas import sa

TAKEN = Acknowledgement(0)
REFUSED = Acknowledgement(errno.EINVAL)
CRYPTO = replace(sa(), offload=HwOffload.CRYPTO, encapsulation=None)
AUTO = replace(CRYPTO, offload=HwOffload.AUTO)


class FakeNetlink:
    """A kernel: whether a device is there, and whether it refuses."""

    def __init__(self, device: bool = False, refuses: bool = False) -> None:
        self.types: list[int] = []
        self.device = device
        self.refuses = refuses
        self.added = b""

    def ask(self, messages):  # type: ignore[no-untyped-def]
        return [self._answer(message) for message in messages]

    def _answer(self, message: Message) -> Reply:
        self.types.append(message.type)
        if message.type == XFRM_MSG_NEWSA:
            is_asked = new_sa(replace(AUTO, offload=HwOffload.NO)).body != message.body
            if self.refuses and is_asked:
                return Reply(REFUSED)
            self.added = new_sa(replace(AUTO, offload=HwOffload.NO)).body
        if message.type == XFRM_MSG_GETSA:
            told = write_attribute(XFRMA_OFFLOAD_DEV, bytes(8)) if self.device else b""
            return Reply(TAKEN, Message(XFRM_MSG_NEWSA, self.added + told))
        return Reply(TAKEN)


def asked(netlink: FakeNetlink, request):  # type: ignore[no-untyped-def]
    return offloaded(netlink, [(new_sa(request), request)])[0]  # type: ignore[arg-type]


def test_an_sa_that_a_device_takes_stays():
    netlink = FakeNetlink(device=True)
    assert asked(netlink, CRYPTO).errno == 0
    assert netlink.types == [XFRM_MSG_NEWSA, XFRM_MSG_GETSA]


def test_an_sa_that_no_device_takes_is_refused_and_gone():
    netlink = FakeNetlink()
    reply = asked(netlink, CRYPTO)
    assert reply.errno == errno.EOPNOTSUPP
    assert "no device on the way" in reply.acknowledgement.text
    assert netlink.types[-1] == XFRM_MSG_DELSA


def test_auto_is_content_with_the_kernel():
    netlink = FakeNetlink()
    assert asked(netlink, AUTO).errno == 0
    assert netlink.types == [XFRM_MSG_NEWSA]


def test_auto_does_without_a_device_that_refuses():
    netlink = FakeNetlink(refuses=True)
    assert asked(netlink, AUTO).errno == 0
    assert netlink.types == [XFRM_MSG_NEWSA, XFRM_MSG_NEWSA]


def test_crypto_does_not():
    assert asked(FakeNetlink(refuses=True), CRYPTO).errno == errno.EINVAL


def test_others_are_not_asked_about():
    netlink = FakeNetlink()
    assert asked(netlink, sa()).errno == 0
    assert netlink.types == [XFRM_MSG_NEWSA]
