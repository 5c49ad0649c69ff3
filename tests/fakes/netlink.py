"""A kernel with ESP behind a netlink socket: what this machine's own kernel may lack.

It reads requests by the second reading of linux/xfrm.h and keeps SAs and policies as octets.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from collections import deque
from collections.abc import Iterable, Sequence

from tests.kernel import structures

HEADER = struct.Struct("=IHHII")
NEWSA, DELSA, GETSA, DELPOLICY, UPDPOLICY, UPDSA = 0x10, 0x11, 0x12, 0x14, 0x19, 0x1A
ALLOCSPI = 0x16
NEWPOLICY, GETPOLICY = 0x13, 0x15
DUMP = 0x300
DONE = 3
EXPLAINED_AND_CAPPED = 0x300


class FakeXfrmSocket:
    """The socket and the kernel behind it. `refuse` maps a message's number to an errno."""

    def __init__(self) -> None:
        self.sas: dict[bytes, bytes] = {}
        self.policies: dict[bytes, bytes] = {}
        self.asked: list[int] = []
        self.datagrams = 0
        self.refuse: dict[int, tuple[int, str]] = {}
        self.deaf = False
        self.lost_at: int | None = None
        # What an SA has sent when it is looked up for the second time.
        self.sends_meanwhile = 0
        self._looks: dict[bytes, int] = {}
        self.is_open = True
        self.groups: list[int] = []
        self._answers: deque[bytes] = deque()

    def join(self, group: int) -> None:
        self.groups.append(group)

    def hear_others(self, groups: Iterable[int], removals: Sequence[int], own_port: int) -> None:
        self.groups += groups

    @property
    def port(self) -> int:
        return 4711

    def of_the_same_kernel(self) -> FakeXfrmSocket:
        """Another socket."""
        other = FakeXfrmSocket()
        other.sas, other.policies = self.sas, self.policies
        return other

    def fileno(self) -> int:
        return -1

    def send(self, octets: bytes) -> None:
        self.datagrams += 1
        at = 0
        while at < len(octets):
            length, type_, flags, sequence, _ = HEADER.unpack_from(octets, at)
            if flags & DUMP == DUMP:
                self._list(type_, sequence)
                return
            self._carry_out(type_, octets[at + HEADER.size : at + length], sequence)
            at += length

    def receive(self) -> bytes | None:
        return self._answers.popleft() if self._answers else None

    def close(self) -> None:
        self.is_open = False

    def _list(self, type_: int, sequence: int) -> None:
        """A datagram for each entry, and one that says that there are no more."""
        answer, found = (NEWSA, self.sas) if type_ == GETSA else (NEWPOLICY, self.policies)
        for body in found.values():
            self._answers.append(HEADER.pack(16 + len(body), answer, 2, sequence, 0) + body)
        self._answers.append(HEADER.pack(20, DONE, 2, sequence, 0) + bytes(4))

    def _carry_out(self, type_: int, body: bytes, sequence: int) -> None:
        number = len(self.asked)
        self.asked.append(type_)
        refusal = self.refuse.get(number)
        verdict, text = refusal or (_ACTIONS[type_](self, body, sequence), "")
        if not self.deaf:
            self._answers.append(_acknowledgement(verdict, text, sequence))

    def _new_sa(self, body: bytes, _: int) -> int:
        key = _key(structures.SaInfo.from_buffer_copy(body).id)
        if key in self.sas:
            return errno.EEXIST
        self.sas[key] = body
        return 0

    def _update_sa(self, body: bytes, _: int) -> int:
        key = _key(structures.SaInfo.from_buffer_copy(body).id)
        if key not in self.sas:
            return errno.ESRCH
        self.sas[key] = body
        return 0

    def _delete_sa(self, body: bytes, _: int) -> int:
        key = _key(structures.SaName.from_buffer_copy(body))
        return 0 if self.sas.pop(key, None) else errno.ESRCH

    def _look_up_sa(self, body: bytes, sequence: int) -> int:
        key = _key(structures.SaName.from_buffer_copy(body))
        if key not in self.sas:
            return errno.ESRCH
        found = self.sas[key] + self._replay(key)
        self._answers.append(HEADER.pack(16 + len(found), NEWSA, 0, sequence, 0) + found)
        return 0

    def _name_larval(self, body: bytes, sequence: int) -> int:
        """A larval SA, which is found or made, gets an SPI."""
        info = structures.SaInfo.from_buffer_copy(body)
        info.id.spi.value = int.from_bytes(body[-8:-4], "little")
        self.sas[_key(info.id)] = bytes(info)
        self._answers.append(HEADER.pack(16 + 224, NEWSA, 0, sequence, 0) + bytes(info))
        return 0

    def _replay(self, key: bytes) -> bytes:
        """An XFRMA_REPLAY_VAL."""
        looks = self._looks[key] = self._looks.get(key, 0) + 1
        sent = self.sends_meanwhile if looks % 2 == 0 else 0
        return struct.pack("=HH", 16, 10) + bytes(structures.Replay(oseq=sent))

    def _update_policy(self, body: bytes, _: int) -> int:
        key = body[:56] + body[160:161]
        if key in self.policies:
            # One that is replaced hands its index on, whatever is asked for.
            info = structures.PolicyInfo.from_buffer_copy(body)
            info.index = structures.PolicyInfo.from_buffer_copy(self.policies[key]).index
            body = bytes(info) + body[ctypes.sizeof(info) :]
        self.policies[key] = body
        return 0

    def _look_up_policy(self, body: bytes, sequence: int) -> int:
        found = self.policies.get(body[:56] + body[60:61])
        if found is None:
            return errno.ENOENT
        self._answers.append(HEADER.pack(16 + len(found), NEWPOLICY, 0, sequence, 0) + found)
        return 0

    def _delete_policy(self, body: bytes, _: int) -> int:
        name = structures.PolicyName.from_buffer_copy(body)
        for key, found in self.policies.items():
            info = structures.PolicyInfo.from_buffer_copy(found)
            by_index = name.index and info.index == name.index
            if by_index or (not name.index and found[:56] == body[:56] and info.dir == name.dir):
                del self.policies[key]
                return 0
        return errno.ENOENT


def _key(named: structures.Id | structures.SaName) -> bytes:
    return bytes(named.daddr) + bytes(named.spi) + bytes((named.proto,))


def _acknowledgement(number: int, text: str, sequence: int) -> bytes:
    body = struct.pack("=i", -number) + bytes(16)
    if text:
        value = text.encode() + b"\0"
        body += struct.pack("=HH", 4 + len(value), 1) + value + bytes(-len(value) % 4)
    return HEADER.pack(16 + len(body), 2, EXPLAINED_AND_CAPPED, sequence, 0) + body


_ACTIONS = {
    NEWSA: FakeXfrmSocket._new_sa,
    UPDSA: FakeXfrmSocket._update_sa,
    DELSA: FakeXfrmSocket._delete_sa,
    GETSA: FakeXfrmSocket._look_up_sa,
    UPDPOLICY: FakeXfrmSocket._update_policy,
    ALLOCSPI: FakeXfrmSocket._name_larval,
    DELPOLICY: FakeXfrmSocket._delete_policy,
    GETPOLICY: FakeXfrmSocket._look_up_policy,
}
