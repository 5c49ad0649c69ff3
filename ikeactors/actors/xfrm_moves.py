"""SAs of the kernel that get other addresses or ports, with as small a gap as can be.

XFRM_MSG_MIGRATE would leave none, but while it copies an SA both count on from the same number: a
packet that leaves meanwhile has a sequence number, and with it the IV of AES-GCM, that is used
again. So SAs are taken out and put in again, in two system calls:

    look up and remove what receives, look up what sends
    add what receives; remove and add what sends, further on in its numbers; the policies

What receives is away between the two, for its window must have in it all that has been received.
What sends is away within the second alone; that its counter has not come up to where the new one
begins is looked at in the same call.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ikeactors.actors.netlink import Netlink, Reply
from ikeactors.kernel.marks import Marks
from ikeactors.kernel.netlink import Message
from ikeactors.kernel.requests import Direction, KernelRefusal, SaId, SaRequest
from ikeactors.kernel.xfrm import Carried, delete_sa, look_up_sa, new_sa, update_sa
from ikeactors.kernel.xfrm_events import read_state
from ikeactors.kernel.xfrm_refusals import refusal_of

_Pair = tuple[SaId, SaRequest]


@dataclass(frozen=True, slots=True)
class Moving:
    """An SA on its way: its name before, what it is to be, and what it takes along."""

    old: SaId
    request: SaRequest
    carried: Carried


@dataclass(frozen=True, slots=True)
class Former:
    """What has sent until a moment ago. It may have expired meanwhile."""

    moving: Moving

    def refusal(self, reply: Reply) -> KernelRefusal | None:
        """Why its successor must not send: its first sequence numbers may have been used."""
        if reply.errno:
            return _unless_gone(self.moving, reply)
        begins_at = self.moving.carried.begins_at
        if reply.answer is None or read_state(reply.answer.body).carried.sent <= begins_at:
            return None
        text = f"the SA {self.moving.old.spi:#010x} has sent too much while it was moved"
        return KernelRefusal(errno.EOVERFLOW, text)


@dataclass(frozen=True, slots=True)
class Leaving:
    """The removal of what has sent."""

    moving: Moving

    def refusal(self, reply: Reply) -> KernelRefusal | None:
        """Why the successor finds its place taken."""
        return _unless_gone(self.moving, reply)


def _unless_gone(moving: Moving, reply: Reply) -> KernelRefusal | None:
    if reply.errno in (0, errno.ESRCH):
        return None
    return refusal_of(reply.acknowledgement, moving.request)


def take(netlink: Netlink, old: Sequence[SaId], sas: Sequence[SaRequest]) -> list[Moving]:
    """The SAs that are to be put in again; those that take other ports in place are not.

    Raises KernelRefusal where there is none of a name, neither the old one nor the new.
    """
    # What cannot be said at all costs no SA.
    updates = [update_sa(request) for request in sas]
    pairs = list(zip(old, sas, strict=True))
    kept = [at for at, (name, request) in enumerate(pairs) if name == request.sa_id]
    replies = netlink.ask([updates[at] for at in kept])
    updated = set()
    for at, reply in zip(kept, replies, strict=True):
        if not reply.errno:
            updated.add(at)
        # The kernel's word for an SA that comes into UDP or out of it, which takes a new state.
        elif reply.errno != errno.EINVAL:
            raise refusal_of(reply.acknowledgement, sas[at])
    return _taken(netlink, [pair for at, pair in enumerate(pairs) if at not in updated])


def put(moving: Moving, marks: Marks) -> Iterator[tuple[Message, object]]:
    """What puts an SA in again, each with what it is about."""
    if moving.request.direction is Direction.OUT:
        yield look_up_sa(moving.old), Former(moving)
        yield delete_sa(moving.old), Leaving(moving)
    mark = marks.of_sa(moving.request.sa_id)
    yield new_sa(moving.request, moving.carried, mark), moving.request


def _taken(netlink: Netlink, pairs: Sequence[_Pair]) -> list[Moving]:
    looks = netlink.ask([message for pair in pairs for message in _looking(*pair)])
    found = iter(looks)
    moving = []
    for name, request in pairs:
        look = next(found)
        if request.direction is Direction.IN:
            next(found)
        if look.answer is not None:
            moving.append(Moving(name, request, read_state(look.answer.body).carried))
        elif netlink.ask([look_up_sa(request.sa_id)])[0].answer is None:
            raise refusal_of(look.acknowledgement, request)
    return moving


def _looking(name: SaId, request: SaRequest) -> Iterator[Message]:
    yield look_up_sa(name)
    if request.direction is Direction.IN:
        yield delete_sa(name)
