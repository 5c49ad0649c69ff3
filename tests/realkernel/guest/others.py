"""What other programs do to a kernel's IPsec, by messages of the second reading of linux/xfrm.h."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence

from ikeactors.actors.netlink import Netlink, Socket
from ikeactors.iana import ProtocolId
from ikeactors.kernel.netlink import (
    NLM_F_DUMP,
    NLM_F_REQUEST,
    NLMSG_DONE,
    Message,
    read_messages,
    write_attribute,
    write_message,
)
from ikeactors.kernel.requests import Address, KernelRefusal, SaId
from tests.kernel import structures

_GETSA, _GETPOLICY, _ALLOCSPI, _EXPIRE, _FLUSHSA, _FLUSHPOLICY = 0x12, 0x15, 0x16, 0x18, 0x1C, 0x1D
_XFRMA_MARK = 21
_NUMBERS = {ProtocolId.ESP: 50, ProtocolId.AH: 51}
_TUNNEL = 1


class Others:
    """Another program's socket."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._netlink = Netlink(socket)

    def flush(self, policies: bool = False) -> None:
        """Remove all SAs, or all policies."""
        self._ask(Message(_FLUSHPOLICY, b"") if policies else Message(_FLUSHSA, bytes(1)))

    def expire(self, sa_id: SaId, hard: bool) -> None:
        """End an SA's life, or say that it is about to end."""
        info = _info(sa_id)
        body = bytes(structures.Expire(state=info, hard=hard))
        mark = sa_id.mark
        if mark is not None:
            body += write_attribute(_XFRMA_MARK, struct.pack("=II", mark.value, mark.mask))
        self._ask(Message(_EXPIRE, body))

    def reserve(self, sa_id: SaId) -> None:
        """Have a larval SA made with this SPI."""
        info = _info(sa_id)
        info.id.spi.value, info.mode = 0, _TUNNEL
        body = bytes(info) + struct.pack("=II", sa_id.spi, sa_id.spi)
        self._ask(Message(_ALLOCSPI, body))

    def dump(self) -> tuple[Sequence[Message], Sequence[Message]]:
        """All SAs and all policies."""
        return self._dump(_GETSA), self._dump(_GETPOLICY)

    def close(self) -> None:
        """Let the socket go."""
        self._netlink.close()

    def _ask(self, message: Message) -> None:
        reply = self._netlink.ask([message])[0]
        if reply.errno:
            raise KernelRefusal(reply.errno, reply.acknowledgement.text)

    def _dump(self, type_: int) -> list[Message]:
        request = Message(type_, b"", flags=NLM_F_REQUEST | NLM_F_DUMP)
        self._socket.send(write_message(request, 1))
        found: list[Message] = []
        while True:
            octets = self._socket.receive()
            assert octets is not None, "a dump has an end"
            for message in read_messages(octets):
                if message.type == NLMSG_DONE:
                    return found
                found.append(message)


def _info(sa_id: SaId) -> structures.SaInfo:
    info = structures.SaInfo(family=2 if sa_id.destination.version == 4 else 10)
    info.saddr, info.id.daddr = _filled(sa_id.source), _filled(sa_id.destination)
    info.id.spi.value, info.id.proto = sa_id.spi, _NUMBERS[sa_id.protocol]
    return info


def _filled(address: Address) -> ctypes.Array[ctypes.c_uint32]:
    return structures.filled(str(address))
