"""SAs that a network device is to seal and open: what becomes of them where none does.

Without a device that can the kernel takes such an SA, and carries it itself.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import replace

from ikeactors.actors.netlink import Netlink, Reply
from ikeactors.kernel.netlink import Acknowledgement, Message
from ikeactors.kernel.requests import HwOffload, SaRequest
from ikeactors.kernel.xfrm import delete_sa, look_up_sa, new_sa
from ikeactors.kernel.xfrm_events import read_state

# A request, and what it is about.
Asked = tuple[Message, object]

_NO_DEVICE = "hw_offload: no device on the way to the peer takes it; auto or no does without"


def offloaded(netlink: Netlink, messages: Sequence[Asked]) -> list[Reply]:
    """Ask for all of them; an SA with AUTO that a device refuses is the kernel's."""
    replies = netlink.ask([message for message, _ in messages])
    for at, (_, about) in enumerate(messages):
        if isinstance(about, SaRequest) and about.offload is not HwOffload.NO:
            replies[at] = _settled(netlink, about, replies[at])
    return replies


def _settled(netlink: Netlink, request: SaRequest, reply: Reply) -> Reply:
    if reply.errno and request.offload is HwOffload.AUTO and reply.errno != errno.EEXIST:
        return netlink.ask([new_sa(replace(request, offload=HwOffload.NO))])[0]
    if reply.errno or request.offload is HwOffload.AUTO:
        return reply
    found = netlink.ask([look_up_sa(request.sa_id)])[0]
    if found.answer is not None and read_state(found.answer.body).is_offloaded:
        return reply
    netlink.ask([delete_sa(request.sa_id)])
    return Reply(Acknowledgement(errno.EOPNOTSUPP, _NO_DEVICE))
