"""The actor of one association: event in, step, actions out.

It knows no protocol. Between two events it is one parked task, whatever its association holds,
so there is nothing in its frames that is not needed there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import trio

from ikeactors.actors import inquiries
from ikeactors.actors.alarms import Alarms
from ikeactors.actors.durability import Durability, make_durable
from ikeactors.actors.kernel import Command, KernelAction, KernelRequest, UsageRequest
from ikeactors.actors.mailbox import Mailbox
from ikeactors.actors.peer_ports import Association, Following, KeyRecords, Sender
from ikeactors.actors.reports import ReportHub
from ikeactors.actors.router import Router
from ikeactors.actors.tokens import Sign, sign_nothing
from ikeactors.actors.unchecked import (
    Checks,
    LookUp,
    NameChecks,
    NobodyAsked,
    Unchecked,
    fetch_nothing,
)
from ikeactors.actors.workers import Workers
from ikeactors.kernel.requests import SaUsage
from ikeactors.protocol import actions
from ikeactors.protocol.events import (
    Address,
    Endpoint,
    Event,
    SendingFailed,
    UsageReported,
)
from ikeactors.protocol.snapshot import AssociationSnapshot

Handle = Callable[[Event, float], Sequence[actions.Action]]


class Registry(Protocol):
    """What all associations share among themselves."""

    def claim(self, peer: Peer, claim: actions.ClaimIdentity) -> None: ...
    def moved(self, peer: Peer, place: Address) -> None: ...
    def answer(self, answer: actions.AnswerRequest) -> None: ...
    def reauthenticate(self, peer: Peer, action: actions.Reauthenticate) -> None: ...
    def begin_again(self, peer: Peer, action: actions.BeginAgain) -> None: ...
    def set_traps(self, peer: Peer, action: actions.SetTraps) -> None: ...
    def hand_over(self, peer: Peer, action: actions.HandOver) -> None: ...
    async def progressed(self, peer: Peer, association: Association) -> None: ...


class Peer:
    """What is known of an association outside of it; outlives its actor.

    `owner` names what this incarnation has in the kernel, `former_owners` what its crashed
    predecessors have there. `midway` is true from an event until its last action is carried out.
    `shown` is what to show while a worker has the association, `superseded_by` the number of the
    association that has taken its place, `kept` that under which the store has it. `childless` says
    that it is to stand without children where none is named.
    """

    __slots__ = (
        "association",
        "childless",
        "children",
        "connection",
        "crashes",
        "dismissed",
        "established",
        "former_owners",
        "half_open_at",
        "initiates",
        "kept",
        "local",
        "mailbox",
        "midway",
        "number",
        "owner",
        "parked",
        "remote",
        "requested_by",
        "sequences",
        "shown",
        "spis",
        "superseded_by",
    )

    def __init__(self, number: int, connection: str = "") -> None:
        self.number = number
        self.connection = connection
        self.owner = 0
        self.former_owners: tuple[int, ...] = ()
        self.mailbox = Mailbox()
        self.association: Association | None = None
        self.initiates = True
        self.local: Endpoint | None = None
        self.remote: Endpoint | None = None
        self.spis: tuple[bytes, ...] = ()
        self.children: tuple[str, ...] = ()
        self.childless = False
        self.requested_by: tuple[bytes, Endpoint] | None = None
        self.half_open_at: Address | None = None
        self.established = False
        self.dismissed = False
        self.parked = False
        self.midway = False
        self.sequences = 0
        self.crashes: tuple[float, ...] = ()
        self.shown: AssociationSnapshot | None = None
        self.superseded_by = 0
        self.kept = 0

    def is_at(self, address: Address) -> bool:
        """Whether the other end is at this address."""
        return self.remote is not None and self.remote.address == address


@dataclass(frozen=True, slots=True)
class Outlets:
    """Where an association's actions go."""

    router: Router
    sender: Sender
    kernel: trio.MemorySendChannel[Command]
    workers: Workers
    alarms: Alarms
    hub: ReportHub
    key_records: KeyRecords | None
    registry: Registry
    durability: Durability | None = None
    followers: Following | None = None
    checks: Checks = field(default_factory=Unchecked)
    names: NameChecks = field(default_factory=NobodyAsked)
    look_up: LookUp = fetch_nothing
    sign: Sign = sign_nothing


async def run_peer(peer: Peer, association: Association, outlets: Outlets) -> str:
    """Take the association through its life; why it failed, or nothing."""
    outlets.alarms.set(peer.number, association.deadline, peer.mailbox)
    inbox, at_once = peer.mailbox, False
    while not association.closed:
        # The event and what comes of it are that step's: here they would wait for the next one.
        await _step(peer, association, inbox.take() if at_once else await inbox.receive(), outlets)
        # Often an answer to what it asked is there by now, and to wait for it would cost a turn.
        at_once = not at_once and len(inbox) > 0
    outlets.alarms.cancel(peer.number)
    return association.failure


async def _step(peer: Peer, association: Association, event: Event, outlets: Outlets) -> None:
    """One event, and everything that the association asks for then."""
    peer.midway = True
    budgets = outlets.router.budgets
    handle = _timed(peer, association, outlets) if budgets.is_timing else association.handle
    if association.needs_worker(event):
        asked = await _in_worker(peer, association, partial(handle, event), outlets.workers)
    else:
        asked = handle(event, trio.current_time())
    if outlets.durability is not None:
        await make_durable(peer, association, event, asked, outlets.durability)
    for action in asked:
        carry = _CARRY.get(type(action))
        if carry is not None:
            carry(peer, action, outlets)
        else:
            assert isinstance(action, _KERNEL_ACTIONS)
            await _ask_kernel(peer, action, outlets)
    peer.midway = False
    if not peer.established:
        await outlets.registry.progressed(peer, association)
    outlets.alarms.set(peer.number, association.deadline, peer.mailbox)


def _timed(peer: Peer, association: Association, outlets: Outlets) -> Handle:
    """The association's steps, at the cost of its budget. What others do meanwhile counts too."""

    def handle(event: Event, now: float) -> Sequence[actions.Action]:
        began = time.perf_counter()
        try:
            return association.handle(event, now)
        finally:
            outlets.router.budgets.charge(peer.mailbox, time.perf_counter() - began, now)

    return handle


async def _in_worker(
    peer: Peer,
    association: Association,
    handle: Callable[[float], Sequence[actions.Action]],
    workers: Workers,
) -> Sequence[actions.Action]:
    """Run a step elsewhere; meanwhile nobody else may look at the association."""
    now = trio.current_time()
    peer.shown = association.snapshot(now)
    try:
        return await workers.run(partial(handle, now))
    finally:
        peer.shown = None


async def _ask_kernel(
    peer: Peer, action: KernelAction | actions.QueryUsage, outlets: Outlets
) -> None:
    request = _command(peer, action, outlets)
    try:
        # `send` would let everybody else go first even where there is room.
        outlets.kernel.send_nowait(request)
    except trio.WouldBlock:
        await outlets.kernel.send(request)


def _command(peer: Peer, action: KernelAction | actions.QueryUsage, outlets: Outlets) -> Command:
    if isinstance(action, actions.QueryUsage):
        return UsageRequest(action.sa_ids, partial(_report_usage, peer.mailbox, action.ticket))
    if outlets.key_records is not None and not isinstance(action, actions.RemoveChildSa):
        outlets.key_records.record_esp(action.sas)
    return KernelRequest(peer.owner, action, peer.mailbox)


def _report_usage(mailbox: Mailbox, ticket: int, usages: Sequence[SaUsage]) -> None:
    mailbox.post_assured(UsageReported(ticket, tuple(usages)))


def _send_datagram(peer: Peer, action: actions.SendDatagram, outlets: Outlets) -> None:
    if peer.remote is not None and peer.remote.address != action.remote.address:
        outlets.registry.moved(peer, action.remote.address)
    peer.local, peer.remote = action.local, action.remote
    problem = outlets.sender.send_message(action.octets, action.local, action.remote, action.dscp)
    if problem:
        peer.mailbox.post_assured(SendingFailed(problem))


def _send_keepalive(_: Peer, action: actions.SendKeepalive, outlets: Outlets) -> None:
    outlets.sender.send_keepalive(action.local, action.remote)


def _register_spi(peer: Peer, action: actions.RegisterSpi, outlets: Outlets) -> None:
    outlets.router.register(action.spi, peer.mailbox)
    peer.spis = (*peer.spis, action.spi)


def _forget_spi(peer: Peer, action: actions.ForgetSpi, outlets: Outlets) -> None:
    outlets.router.forget(action.spi)
    peer.spis = tuple(spi for spi in peer.spis if spi != action.spi)


def _keep_answer(_: Peer, action: actions.KeepAnswer, outlets: Outlets) -> None:
    outlets.router.last_answers.keep(action, trio.current_time())


def _claim_identity(peer: Peer, action: actions.ClaimIdentity, outlets: Outlets) -> None:
    outlets.registry.claim(peer, action)


def _reauthenticate(peer: Peer, action: actions.Reauthenticate, outlets: Outlets) -> None:
    outlets.registry.reauthenticate(peer, action)


def _begin_again(peer: Peer, action: actions.BeginAgain, outlets: Outlets) -> None:
    outlets.registry.begin_again(peer, action)


def _set_traps(peer: Peer, action: actions.SetTraps, outlets: Outlets) -> None:
    outlets.registry.set_traps(peer, action)


def _hand_over(peer: Peer, action: actions.HandOver, outlets: Outlets) -> None:
    outlets.registry.hand_over(peer, action)


def _report(peer: Peer, action: actions.Report, outlets: Outlets) -> None:
    outlets.hub.publish(action, peer.number)


def _trace(peer: Peer, action: actions.Trace, outlets: Outlets) -> None:
    if outlets.hub.is_wanted(action.level, action.connection):
        report = actions.Report(
            action.name, action.text, action.level, action.connection, action.details
        )
        outlets.hub.publish(report, peer.number)


def _answer(_: Peer, action: actions.AnswerRequest, outlets: Outlets) -> None:
    outlets.registry.answer(action)


def _record_keys(_: Peer, action: actions.RecordIkeKeys, outlets: Outlets) -> None:
    if outlets.key_records is not None:
        outlets.key_records.record_ike(action)


def _suspect(peer: Peer, action: actions.SuspectAddress, outlets: Outlets) -> None:
    outlets.router.budgets.suspects.note(action.address, trio.current_time())


def _follow(peer: Peer, action: actions.FollowChildSa, outlets: Outlets) -> None:
    if outlets.followers is not None:
        outlets.followers.up(peer.number, action)


def _unfollow(peer: Peer, action: actions.UnfollowChildSa, outlets: Outlets) -> None:
    if outlets.followers is not None:
        outlets.followers.down(peer.number, action)


# A union would be taken apart at each look.
_KERNEL_ACTIONS = (
    actions.InstallChildSa,
    actions.AdoptChildSa,
    actions.RemoveChildSa,
    actions.MoveChildSa,
    actions.QueryUsage,
)

_CARRY: dict[type, Callable[[Peer, Any, Outlets], None]] = {
    actions.SendDatagram: _send_datagram,
    actions.SendKeepalive: _send_keepalive,
    actions.RegisterSpi: _register_spi,
    actions.ForgetSpi: _forget_spi,
    actions.KeepAnswer: _keep_answer,
    actions.ClaimIdentity: _claim_identity,
    actions.CheckRevocation: inquiries.check_revocation,
    actions.CheckName: inquiries.check_name,
    actions.FetchCertificates: inquiries.fetch_certificates,
    actions.SignByToken: inquiries.sign_by_token,
    actions.Reauthenticate: _reauthenticate,
    actions.BeginAgain: _begin_again,
    actions.SetTraps: _set_traps,
    actions.HandOver: _hand_over,
    actions.Report: _report,
    actions.Trace: _trace,
    actions.AnswerRequest: _answer,
    actions.RecordIkeKeys: _record_keys,
    actions.SuspectAddress: _suspect,
    actions.FollowChildSa: _follow,
    actions.UnfollowChildSa: _unfollow,
}
