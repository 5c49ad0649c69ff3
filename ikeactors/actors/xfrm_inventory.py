"""What the kernel's IPsec holds, compared with what it was asked to hold.

A list of everything comes over a socket of its own, and others have their turn meanwhile: so what
seems to differ may only have changed, and has to be looked up once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ikeactors.actors.netlink import Netlink, Socket, dumped
from ikeactors.kernel.inventory import Inventory, StrayPolicy
from ikeactors.kernel.marks import Marks
from ikeactors.kernel.requests import PolicyRequest, SaId
from ikeactors.kernel.xfrm import look_up_policy, selectors_of
from ikeactors.kernel.xfrm_dumps import (
    HeldPolicy,
    delete_stray,
    list_policies,
    list_sas,
    read_held_policy,
    read_held_sa,
)
from ikeactors.kernel.xfrm_policies import XfrmPolicies

OpenSocket = Callable[[], Socket]


async def inventory(open_socket: OpenSocket, marks: Marks, policies: XfrmPolicies) -> Inventory:
    """All that is there; KernelRefusal where the kernel does not say."""
    socket = open_socket()
    try:
        ours, others = await _sas(socket, marks)
        own, foreign = await _policies(socket, marks)
    finally:
        socket.close()
    names = policies.names
    return Inventory(
        ours,
        others,
        len(own),
        len(foreign - names),
        policies.in_force(names - own.keys() - foreign),
        policies.in_force(names & foreign),
        tuple(own[name].as_stray() for name in own.keys() - names),
    )


def lacking(netlink: Netlink, suspects: Iterable[PolicyRequest]) -> list[PolicyRequest]:
    """Those of the policies of which not all is there."""
    questions = [
        (policy, look_up_policy(policy, selector))
        for policy in suspects
        for selector in selectors_of(policy)
    ]
    replies = netlink.ask([question for _, question in questions])
    pairs = zip(questions, replies, strict=True)
    return list({id(policy): policy for (policy, _), reply in pairs if reply.errno}.values())


def clear(netlink: Netlink, policies: XfrmPolicies, strays: Sequence[StrayPolicy]) -> None:
    """Remove policies that nobody asks for, unless somebody does by now."""
    netlink.ask([delete_stray(one.name) for one in strays if one.name not in policies])


async def _sas(socket: Socket, marks: Marks) -> tuple[frozenset[SaId], frozenset[SaId]]:
    ours: set[SaId] = set()
    others: set[SaId] = set()
    async for message in dumped(socket, list_sas()):
        held = read_held_sa(message.body)
        # One without an SPI only stands for an SA that is being negotiated.
        if held.sa_id.spi:
            (ours if held.own_mark == marks.of_sa(held.sa_id) else others).add(held.sa_id)
    return frozenset(ours), frozenset(others)


async def _policies(socket: Socket, marks: Marks) -> tuple[dict[bytes, HeldPolicy], set[bytes]]:
    own: dict[bytes, HeldPolicy] = {}
    foreign: set[bytes] = set()
    async for message in dumped(socket, list_policies()):
        held = read_held_policy(message.body)
        if held is None:
            continue
        if held.own_mark == marks.policy:
            own[held.name] = held
        else:
            foreign.add(held.name)
    return own, foreign
