"""Netlink sockets for XFRM: requests in batches with all their answers, and events."""

from __future__ import annotations

import errno
import itertools
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ikeactors.kernel.netlink import (
    NLMSG_DONE,
    NLMSG_ERROR,
    Acknowledgement,
    Message,
    read_acknowledgement,
    read_messages,
    write_message,
)
from ikeactors.kernel.requests import KernelRefusal

# linux/netlink.h
_NETLINK_XFRM = 6
_SOL_NETLINK = 270
_NETLINK_ADD_MEMBERSHIP = 1
_NETLINK_CAP_ACK = 10
_NETLINK_EXT_ACK = 11

# Ours: an answer is below a kilobyte with what the kernel counts for it, so a batch's answers fit
# the default receive buffer (212 kB) with room to spare.
BATCH = 64

# Ours: events of thousands of SAs that expire at once wait here for the actor's turn.
_EVENT_BUFFER = 4 << 20

_LARGEST_DATAGRAM = 65536
_KERNEL = 0


class Socket(Protocol):
    """A netlink socket that never waits; tests have a kernel behind it."""

    def fileno(self) -> int: ...

    def send(self, octets: bytes) -> None: ...

    def join(self, group: int) -> None:
        """Hear the events of one more group."""

    def receive(self) -> bytes | None:
        """A datagram from the kernel; None when none waits."""

    def close(self) -> None: ...


class NetlinkSocket:
    """A socket to the kernel's XFRM, bound to groups of events or to none."""

    def __init__(self, groups: Iterable[int] = ()) -> None:
        try:
            self._socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, _NETLINK_XFRM
            )
        except OSError as error:
            text = f"the kernel has no XFRM netlink (CONFIG_XFRM_USER): {error.strerror}"
            raise KernelRefusal(error.errno or 0, text) from None
        try:
            self._prepare(groups)
        except PermissionError as error:
            self._socket.close()
            text = "the kernel's IPsec needs CAP_NET_ADMIN: run as root, or by the systemd unit"
            raise KernelRefusal(error.errno or 0, text) from None

    def _prepare(self, groups: Iterable[int]) -> None:
        self._socket.bind((0, 0))
        for option in (_NETLINK_CAP_ACK, _NETLINK_EXT_ACK):
            self._socket.setsockopt(_SOL_NETLINK, option, 1)
        for group in groups:
            self.join(group)

    def fileno(self) -> int:
        return self._socket.fileno()

    def join(self, group: int) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _EVENT_BUFFER)
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)

    def send(self, octets: bytes) -> None:
        self._socket.sendto(octets, (_KERNEL, 0))

    def receive(self) -> bytes | None:
        while True:
            try:
                octets, (sender, _) = self._socket.recvfrom(_LARGEST_DATAGRAM)
            except BlockingIOError:
                return None
            # Any process may send to us; the kernel's port is 0.
            if sender == _KERNEL:
                return octets

    def close(self) -> None:
        self._socket.close()


@dataclass(frozen=True, slots=True)
class Reply:
    """What the kernel said to one request; `answer` is what was asked for, if anything was."""

    acknowledgement: Acknowledgement
    answer: Message | None = None

    @property
    def errno(self) -> int:
        """0 when the request was carried out."""
        return self.acknowledgement.errno


class Netlink:
    """Requests and their answers, which the kernel has ready when sending returns."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._sequences = itertools.count(1)

    def ask(self, messages: Sequence[Message]) -> list[Reply]:
        """Send requests in as few datagrams as is safe; one reply for each, in their order."""
        replies: list[Reply] = []
        for at in range(0, len(messages), BATCH):
            replies += self._ask_at_once(messages[at : at + BATCH])
        return replies

    def close(self) -> None:
        self._socket.close()

    def _ask_at_once(self, messages: Sequence[Message]) -> list[Reply]:
        self._drop_leftovers()
        numbers = [next(self._sequences) & 0xFFFFFFFF for _ in messages]
        pairs = zip(messages, numbers, strict=True)
        missing = set(numbers)
        acknowledged: dict[int, Acknowledgement] = {}
        answers: dict[int, Message] = {}
        try:
            self._socket.send(b"".join(write_message(*pair) for pair in pairs))
            while missing:
                octets = self._socket.receive()
                if octets is None:
                    break
                _sort(octets, acknowledged, answers, missing)
        except OSError as error:
            lost = Acknowledgement(error.errno or errno.EIO)
        else:
            lost = Acknowledgement(errno.ENOBUFS)
        return [Reply(acknowledged.get(number, lost), answers.get(number)) for number in numbers]

    def _drop_leftovers(self) -> None:
        """Answers that came after a failure belong to nobody any more."""
        try:
            while self._socket.receive() is not None:
                pass
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise


def _sort(
    octets: bytes,
    acknowledged: dict[int, Acknowledgement],
    answers: dict[int, Message],
    missing: set[int],
) -> None:
    """Put each message of a datagram where it belongs; what is acknowledged is missing no more."""
    for message in read_messages(octets):
        if message.type == NLMSG_ERROR:
            acknowledged[message.sequence] = read_acknowledgement(message)
            missing.discard(message.sequence)
        elif message.type != NLMSG_DONE:
            answers[message.sequence] = message
