"""The kernel's own IPsec as a back end: XFRM over netlink sockets of our own.

The kernel answers a request before `send` returns, so nothing here waits but `events`: a command
that has begun is finished, whatever happens to the actor that gave it.
"""

from __future__ import annotations

import errno
import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import trio

from ikeactors.actors import xfrm_inventory
from ikeactors.actors import xfrm_moves as moves
from ikeactors.actors.backends import Disturbed, EventsLost, KernelEvent
from ikeactors.actors.netlink import Netlink, NetlinkSocket, Reply, Socket
from ikeactors.actors.offload import Asked, offloaded
from ikeactors.actors.xfrm_demand import Demand, Larval
from ikeactors.actors.xfrm_inventory import OpenSocket
from ikeactors.actors.xfrm_moves import Former, Leaving
from ikeactors.kernel.inventory import Inventory, StrayPolicy
from ikeactors.kernel.marks import Marks
from ikeactors.kernel.netlink import Message, read_messages
from ikeactors.kernel.policies import key_of
from ikeactors.kernel.requests import (
    KernelRefusal,
    PolicyRequest,
    SaId,
    SaRequest,
    SaUsage,
)
from ikeactors.kernel.xfrm import (
    XFRM_MSG_DELPOLICY,
    XFRM_MSG_DELSA,
    XFRM_MSG_FLUSHPOLICY,
    XFRM_MSG_FLUSHSA,
    delete_policy,
    delete_policy_by_selector,
    delete_sa,
    look_up_sa,
    name_larval,
    new_sa,
    update_policy,
)
from ikeactors.kernel.xfrm_dumps import read_removed_policy
from ikeactors.kernel.xfrm_events import (
    Acquired,
    Expired,
    MappingChanged,
    Removed,
    State,
    read_event,
    read_state,
)
from ikeactors.kernel.xfrm_policies import Change, Piece, XfrmPolicies
from ikeactors.kernel.xfrm_refusals import refusal_of
from ikeactors.protocol.events import Endpoint, SaExpired, SaMappingChanged

# linux/xfrm.h, enum xfrm_nlgroups. That of acquisitions is heard when there is a policy for it.
EVENT_GROUPS = (2, 8)
# Where it is told who changes SAs and policies: of that, what others remove.
_CHANGE_GROUPS = (3, 4)
_REMOVALS = (XFRM_MSG_DELSA, XFRM_MSG_DELPOLICY, XFRM_MSG_FLUSHSA, XFRM_MSG_FLUSHPOLICY)

# Ours: far above what the kernel counts up from, so that other programs' policies do not collide
# with ours; where one does, policies are removed by their selectors. Each process begins somewhere
# else above that: what a former one has left keeps its indices, and they must not be another's.
FIRST_POLICY_NUMBER = 1 << 27

# Ours: datagrams of events read before others have their turn.
_DRAIN_LIMIT = 64

_GONE = frozenset({errno.ESRCH, errno.ENOENT})


class XfrmBackend:
    """SAs and policies of the kernel."""

    name = "xfrm"

    def __init__(
        self,
        requests: Socket,
        events: Socket,
        first_number: int = FIRST_POLICY_NUMBER,
        demand: Demand | None = None,
        open_socket: OpenSocket = NetlinkSocket,
    ) -> None:
        self._netlink = Netlink(requests)
        self._open_socket = open_socket
        self._marks = Marks()
        self._demand = demand or Demand(events)
        self._policies = XfrmPolicies(first_number)
        events.hear_others(_CHANGE_GROUPS, _REMOVALS, requests.port)
        self._events = XfrmEvents(events, self._demand, self._policies)

    def be(self, name: str) -> None:
        """Mark what is installed from now on as of the daemon of this name."""
        self._marks = Marks.of_daemon(name)

    async def install(self, sas: Sequence[SaRequest], policies: Sequence[PolicyRequest]) -> None:
        await trio.lowlevel.checkpoint()
        # What cannot be said at all is refused before anything is said.
        messages: list[Asked] = [
            (new_sa(request, None, self._marks.of_sa(request.sa_id)), request) for request in sas
        ]
        changes = self._policies.adding(policies)
        messages += self._placing(changes)
        self._settle(messages, offloaded(self._netlink, messages), changes)

    async def remove(self, sas: Sequence[SaId], policies: Sequence[PolicyRequest]) -> None:
        await trio.lowlevel.checkpoint()
        self._remove(sas, policies)

    async def move(
        self,
        old: Sequence[SaId],
        sas: Sequence[SaRequest],
        old_policies: Sequence[PolicyRequest],
        policies: Sequence[PolicyRequest],
    ) -> None:
        await trio.lowlevel.checkpoint()
        changes = self._policies.adding(policies)
        moving = moves.take(self._netlink, old, sas)
        asked = [
            (message, about) for one in moving for message, about in moves.put(one, self._marks)
        ]
        asked += self._placing(changes)
        self._settle(asked, self._netlink.ask([message for message, _ in asked]), changes)
        kept = {key_of(policy) for policy in policies}
        self._remove((), [one for one in old_policies if key_of(one) not in kept])

    async def usage(self, sa_ids: Sequence[SaId]) -> list[SaUsage]:
        await trio.lowlevel.checkpoint()
        replies = self._netlink.ask([look_up_sa(sa_id) for sa_id in sa_ids])
        return [
            _usage(sa_id, read_state(reply.answer.body))
            for sa_id, reply in zip(sa_ids, replies, strict=True)
            if reply.answer is not None
        ]

    async def inventory(self) -> Inventory:
        return await xfrm_inventory.inventory(self._open_socket, self._marks, self._policies)

    async def lacking(self, policies: Sequence[PolicyRequest]) -> list[PolicyRequest]:
        await trio.lowlevel.checkpoint()
        return xfrm_inventory.lacking(self._netlink, policies)

    async def restore(self, policies: Sequence[PolicyRequest]) -> None:
        await self.install((), policies)

    async def clear(self, strays: Sequence[StrayPolicy]) -> None:
        await trio.lowlevel.checkpoint()
        xfrm_inventory.clear(self._netlink, self._policies, strays)

    def events(self) -> XfrmEvents:
        return self._events

    async def aclose(self) -> None:
        self.close()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Let both sockets go."""
        self._demand.close()
        self._netlink.close()
        self._events.close()

    def try_sa(self, request: SaRequest) -> None:
        """Add an SA and take it away again; raises what the kernel has against it."""
        reply = self._netlink.ask([new_sa(request)])[0]
        if reply.errno:
            raise refusal_of(reply.acknowledgement, request)
        self._netlink.ask([delete_sa(request.sa_id)])

    def _placing(self, changes: Sequence[Change]) -> list[Asked]:
        return [(self._place(one, one.after), one) for one in changes if one.after]

    def _place(self, change: Change, piece: Piece) -> Message:
        return update_policy(piece.in_force, change.selector, piece.index, self._marks.policy)

    def _settle(
        self, asked: Sequence[Asked], replies: Sequence[Reply], changes: Sequence[Change]
    ) -> None:
        """Note what is done, or undo it where a part was refused, and say so."""
        answered = list(zip(replies, (about for _, about in asked), strict=True))
        refusal = next(filter(None, itertools.starmap(_refusal, answered)), None)
        if refusal is None:
            self._policies.note(changes)
            self._demand.note(changes)
            # A Child SA's policy that goes makes room for the one below it.
            back = (one for one in changes if one.after and one.after.in_force.on_demand)
            gone = [one.before.in_force for one in back if one.before]
            self._remove_larval(self._demand.stale(gone))
            return
        self._roll_back([about for reply, about in answered if not reply.errno])
        raise refusal

    def _roll_back(self, done: list[object]) -> None:
        """Remove what came, the youngest first: an older SA may have a name that fits it too.

        A policy that was replaced is put back: without one, packets would leave in the clear.
        """
        changes = [one for one in done if isinstance(one, Change)]
        replaced = [self._place(one, one.before) for one in changes if one.before]
        self._netlink.ask(replaced)
        sas = [one.sa_id for one in reversed(done) if isinstance(one, SaRequest)]
        self._netlink.ask([delete_sa(sa_id) for sa_id in sas])
        self._delete([(one, one.after) for one in changes if one.after and not one.before])

    def _remove(self, sas: Sequence[SaId], policies: Sequence[PolicyRequest]) -> None:
        """Remove what is there; of an XFRM policy that others hold, these are left in force."""
        self._netlink.ask([delete_sa(sa_id) for sa_id in sas])
        changes = self._policies.removing(policies)
        self._netlink.ask([
            self._place(one, one.after)
            for one in changes
            if one.before and one.after and one.after.in_force != one.before.in_force
        ])  # fmt: skip
        self._delete([(one, one.before) for one in changes if not one.after])
        self._policies.note(changes)
        self._demand.note(changes)
        self._remove_larval(self._demand.stale(policies))

    def _remove_larval(self, doomed: Sequence[Larval]) -> None:
        """Remove what stands for SAs that policies have asked for, so that they ask again."""
        named = [name_larval(one.policy, one.source, one.destination) for one in doomed]
        replies = zip(self._netlink.ask(named), doomed, strict=True)
        found = [
            replace(read_state(reply.answer.body).usage.sa_id, mark=one.policy.mark)
            for reply, one in replies
            if reply.answer is not None
        ]
        self._netlink.ask([delete_sa(sa_id) for sa_id in found])

    def _delete(self, doomed: Sequence[tuple[Change, Piece | None]]) -> None:
        """What does not go by its index goes by its selector, as what a predecessor has left."""
        by_index = [(change, piece) for change, piece in doomed if piece]
        replies = self._netlink.ask(
            [delete_policy(change.about, piece.index) for change, piece in by_index]
        )
        left = [change for change, piece in doomed if not piece]
        left += [
            change
            for (change, _), reply in zip(by_index, replies, strict=True)
            if reply.errno in _GONE
        ]
        self._netlink.ask([delete_policy_by_selector(one.about, one.selector) for one in left])


class XfrmEvents:
    """The kernel's events, one after the other; what was read and not yet taken is kept."""

    def __init__(self, socket: Socket, demand: Demand, policies: XfrmPolicies) -> None:
        self._socket = socket
        self._demand = demand
        self._policies = policies
        self._waiting: deque[KernelEvent] = deque()

    def __aiter__(self) -> XfrmEvents:
        return self

    async def __anext__(self) -> KernelEvent:
        while not self._waiting:
            await trio.lowlevel.wait_readable(self._socket)
            self._drain()
        return self._waiting.popleft()

    def close(self) -> None:
        self._socket.close()

    def _drain(self) -> None:
        for _ in range(_DRAIN_LIMIT):
            try:
                octets = self._socket.receive()
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                # What waits is older than the comparison that follows.
                self._waiting.clear()
                raise EventsLost from None
            if octets is None:
                return
            found = (self._event(message) for message in read_messages(octets))
            self._waiting.extend(event for event in found if event is not None)

    def _event(self, message: Message) -> KernelEvent | None:
        match read_event(message):
            case Expired(sa_id, hard):
                return SaExpired(sa_id, hard)
            case MappingChanged(sa_id, address, port):
                return SaMappingChanged(sa_id, Endpoint(address, port))
            case Acquired() as acquired:
                return self._demand.acquired(acquired)
            case Removed(sa_id):
                return Disturbed(sa_id) if self._concerns_us(message) else None
            case _:
                return None

    def _concerns_us(self, message: Message) -> bool:
        """What others do with policies of their own is their affair."""
        if message.type != XFRM_MSG_DELPOLICY:
            return True
        policy = read_removed_policy(message.body)
        return policy is not None and policy.name in self._policies


def _usage(sa_id: SaId, state: State) -> SaUsage:
    usage = state.usage
    return SaUsage(sa_id, usage.octets, usage.packets, usage.last_used_at)


def _refusal(reply: Reply, about: object) -> KernelRefusal | None:
    if isinstance(about, Former | Leaving):
        return about.refusal(reply)
    if not reply.errno:
        return None
    return refusal_of(reply.acknowledgement, about if isinstance(about, SaRequest) else None)
