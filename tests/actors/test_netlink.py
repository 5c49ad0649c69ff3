"""The netlink sockets: who is listened to, and what becomes of answers that are late or lost."""

from __future__ import annotations

import errno
import socket

import pytest

from ikeactors.actors.netlink import Netlink, NetlinkSocket
from ikeactors.kernel.netlink import write_message
from ikeactors.kernel.xfrm import list_sas, look_up_sa, new_sa
from tests.fakes.netlink import FakeXfrmSocket
from tests.fakes.sas import sa

NETLINK_XFRM = 6


@pytest.mark.netns
def test_what_another_process_sends_is_dropped() -> None:
    ours = NetlinkSocket()
    port = ours._socket.getsockname()[0]
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_XFRM) as stranger:
        stranger.sendto(write_message(look_up_sa(sa().sa_id), 1), (port, 0))
    assert ours.receive() is None
    ours.close()


@pytest.mark.netns
def test_the_kernel_lists_its_sas() -> None:
    ours = NetlinkSocket()
    ours.send(write_message(list_sas(), 7))
    assert ours.receive() is not None
    ours.close()


def test_late_answers_are_taken_for_nobody_elses() -> None:
    kernel = FakeXfrmSocket()
    netlink = Netlink(kernel)
    kernel.deaf = True
    assert netlink.ask([new_sa(sa())])[0].errno == errno.ENOBUFS
    kernel.deaf = False
    kernel.send(write_message(look_up_sa(sa().sa_id), 99))
    replies = netlink.ask([look_up_sa(sa(0x9999).sa_id), look_up_sa(sa().sa_id)])
    assert [reply.errno for reply in replies] == [errno.ESRCH, 0]
    assert [reply.answer is not None for reply in replies] == [False, True]


class BrokenSocket(FakeXfrmSocket):
    """Whose buffer overflows while answers come."""

    def __init__(self) -> None:
        super().__init__()
        self.receives = 0

    def receive(self) -> bytes | None:
        self.receives += 1
        if self.receives in (1, 3):
            raise OSError(errno.ENOBUFS, "No buffer space available")
        return super().receive()


def test_an_overflow_is_the_answer_to_what_has_none() -> None:
    replies = Netlink(BrokenSocket()).ask([new_sa(sa(0x1000)), new_sa(sa(0x2000))])
    assert [reply.errno for reply in replies] == [0, errno.ENOBUFS]


def test_nothing_to_ask_is_nothing_asked() -> None:
    kernel = FakeXfrmSocket()
    assert Netlink(kernel).ask([]) == []
    assert kernel.datagrams == 0
