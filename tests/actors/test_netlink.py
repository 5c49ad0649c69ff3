"""The netlink sockets: who is listened to, and what becomes of answers that are late or lost."""

from __future__ import annotations

import errno
import socket
import struct

import pytest

from ikeactors.actors.netlink import Netlink, NetlinkSocket, _filter
from ikeactors.kernel.netlink import write_message
from ikeactors.kernel.xfrm import look_up_sa, new_sa
from ikeactors.kernel.xfrm_dumps import list_sas
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


OWN_PORT = 0x12345678
NEWSA, DELSA, UPDPOLICY, EXPIRE, FLUSHSA, FLUSHPOLICY = 0x10, 0x11, 0x19, 0x18, 0x1C, 0x1D


@pytest.mark.parametrize(
    ("kind", "port", "is_heard"),
    [
        (EXPIRE, 0, True),
        (EXPIRE, OWN_PORT, True),
        (NEWSA, 7, False),
        (NEWSA, OWN_PORT, False),
        (UPDPOLICY, 7, False),
        (DELSA, 7, True),
        (DELSA, OWN_PORT, False),
        (FLUSHSA, 7, True),
        (FLUSHPOLICY, OWN_PORT, False),
        (FLUSHPOLICY, 7, True),
    ],
)
def test_of_changes_the_removals_of_others_are_heard(kind: int, port: int, is_heard: bool) -> None:
    program = _filter((DELSA, FLUSHSA, FLUSHPOLICY), OWN_PORT)
    message = struct.pack("=IHHII", 16, kind, 0, 1, port)
    assert _passes(program, message) is is_heard


def _passes(program: bytes, message: bytes) -> bool:
    """The kernel's filter machine, as far as it is needed."""
    instructions = list(struct.iter_unpack("=HBBI", program))
    at = accumulator = 0
    while True:
        code, if_true, if_false, number = instructions[at]
        at += 1
        if code == 0x06:
            return bool(number)
        if code == 0x15:
            at += if_true if accumulator == number else if_false
        else:
            length = {0x28: 2, 0x20: 4}[code]
            accumulator = int.from_bytes(message[number : number + length], "big")
