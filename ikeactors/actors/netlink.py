"""Netlink sockets for XFRM: requests in batches with all their answers, and events."""

from __future__ import annotations

import ctypes
import errno
import itertools
import socket
import struct
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import trio

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
from ikeactors.kernel.xfrm import (
    XFRM_MSG_NEWPOLICY,
    XFRM_MSG_NEWSA,
    XFRM_MSG_UPDPOLICY,
    XFRM_MSG_UPDSA,
)

# linux/netlink.h
_NETLINK_XFRM = 6
_SOL_NETLINK = 270
_NETLINK_ADD_MEMBERSHIP = 1
_NETLINK_CAP_ACK = 10
_NETLINK_EXT_ACK = 11
_SO_ATTACH_FILTER = 26

# Ours: an answer is below a kilobyte with what the kernel counts for it, so a batch's answers fit
# the default receive buffer (212 kB) with room to spare.
BATCH = 64

# Ours: events of thousands of SAs that expire at once wait here for the actor's turn.
_EVENT_BUFFER = 4 << 20

# linux/filter.h and bpf_common.h. In a netlink message the type is at 4, who has asked at 12.
_INSTRUCTION = struct.Struct("=HBBI")
_JUMP_IF = 0x15
_LOAD_TYPE = (0x28, 0, 0, 4)
_LOAD_PORT = (0x20, 0, 0, 12)
_TAKE = (0x06, 0, 0, 0xFFFFFFFF)
_DROP = (0x06, 0, 0, 0)
_CHANGES = (XFRM_MSG_NEWSA, XFRM_MSG_UPDSA, XFRM_MSG_NEWPOLICY, XFRM_MSG_UPDPOLICY)

_FIRST = 1
_LARGEST_DATAGRAM = 65536
_KERNEL = 0


class Socket(Protocol):
    """A netlink socket that never waits; tests have a kernel behind it."""

    def fileno(self) -> int: ...

    def send(self, octets: bytes) -> None: ...

    def join(self, group: int) -> None:
        """Hear the events of one more group."""

    def hear_others(self, groups: Iterable[int], removals: Sequence[int], own_port: int) -> None:
        """Hear of groups what other programs remove, and nothing else of theirs or ours."""

    @property
    def port(self) -> int:
        """What the kernel says of our requests to others."""

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

    def hear_others(self, groups: Iterable[int], removals: Sequence[int], own_port: int) -> None:
        # All that we ourselves change is told in these groups too, and would cost us a look each.
        program = _filter(removals, own_port)
        octets = ctypes.create_string_buffer(program)
        length = len(program) // _INSTRUCTION.size
        filtering = struct.pack("@HP", length, ctypes.addressof(octets))
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filtering)
            for group in groups:
                self.join(group)

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[0]
        return port

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


async def dumped(socket: Socket, message: Message) -> AsyncIterator[Message]:
    """The answers to a request for a list. Between two datagrams of them others have their turn."""
    socket.send(write_message(message, _FIRST))
    while True:
        octets = socket.receive()
        if octets is None:
            raise KernelRefusal(errno.EIO, "the kernel has broken off a list of what it holds")
        for one in read_messages(octets):
            if one.type == NLMSG_DONE:
                return
            if one.type == NLMSG_ERROR:
                number = read_acknowledgement(one).errno
                raise KernelRefusal(number, "the kernel does not list what it holds")
            yield one
        await trio.lowlevel.checkpoint()


def _filter(removals: Sequence[int], own_port: int) -> bytes:
    """Socket filter (linux/filter.h): of XFRM's messages those of a removal by somebody else, and
    those that belong to no change. Its numbers are big-endian, netlink's are this host's."""
    removing = [_in_order(one, "H") for one in removals]
    changing = [_in_order(one, "H") for one in _CHANGES]
    count = len(removing) + len(changing)
    program = [_LOAD_TYPE]
    program += [(_JUMP_IF, count - at, 0, one) for at, one in enumerate(removing)]
    program += [(_JUMP_IF, len(changing) - at + 3, 0, one) for at, one in enumerate(changing)]
    program += [_TAKE, _LOAD_PORT, (_JUMP_IF, 1, 0, _in_order(own_port, "I")), _TAKE, _DROP]
    return b"".join(_INSTRUCTION.pack(*one) for one in program)


def _in_order(number: int, kind: str) -> int:
    return int.from_bytes(struct.pack(f"={kind}", number), "big")


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
