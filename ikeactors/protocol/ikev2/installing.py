"""Child SAs on their way into the data plane and out of it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ikeactors.kernel.compression import names_of
from ikeactors.protocol.actions import InstallChildSa, Level, RemoveChildSa
from ikeactors.protocol.events import KernelRefused, Reply
from ikeactors.protocol.ikev2.child_sa import ChildSa, ChildState
from ikeactors.protocol.ikev2.exchange import Answer
from ikeactors.protocol.ikev2.requests import Request
from ikeactors.protocol.ikev2.retransmission import patience
from ikeactors.protocol.ikev2.twins import has_sender_beside
from ikeactors.protocol.ikev2.wanting import keep_up
from ikeactors.protocol.timers import Timer
from ikeactors.quick import quick

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.ike_sa import IkeSa

# Ours: how long the inbound SA of a rekeyed or deleted pair outlives it, for packets that are
# still under way. strongSwan waits as long.
RETIRED_FOR = 5.0


def install(association: Association, child: ChildSa, then: InstallOffered) -> None:
    """Install both SAs and the policies; `then` goes on."""
    child.inbound_installed = child.outbound_installed = True
    ticket = association.wait_for(then)
    association.emit(InstallChildSa(ticket, child.installed, child.policies, kept_first=True))


def install_for_answer(
    association: Association, ike_sa: IkeSa, answer: Answer, child: ChildSa
) -> None:
    """Install what an answer promises, then let it leave.

    With `inbound_only` the outbound SA waits: the peer may not be ready to receive yet.
    """
    then = InstallDemanded(ike_sa, answer, child)
    child.inbound_installed, child.outbound_installed = True, not answer.inbound_only
    ticket = association.wait_for(then)
    association.emit(InstallChildSa(ticket, child.installed, child.policies))


def install_redundant(association: Association, child: ChildSa) -> None:
    """Install what receives, and the policies."""
    child.inbound_installed = True
    ticket = association.wait_for(InstallRedundant(child))
    association.emit(InstallChildSa(ticket, child.receiving, child.policies, kept_first=True))


def install_outbound(association: Association, child: ChildSa) -> None:
    """The peer can receive now: send through this SA from here on."""
    if child.outbound_installed:
        return
    child.outbound_installed = True
    ticket = association.wait_for(OutboundInstalled(child))
    association.emit(InstallChildSa(ticket, child.sending, kept_first=True))


def retire(association: Association, child: ChildSa) -> None:
    """Stop sending through a Child SA; go on receiving for a moment."""
    if child.state is ChildState.RETIRED:
        return
    association.children.stop_timers(child)
    child.state = ChildState.RETIRED
    association.children.replacement_lost(child)
    stop_sending(association, child)
    association.timers.start(Timer.CHILD_RETIRE, association.now + RETIRED_FOR, child.number)


def stop_sending(association: Association, child: ChildSa) -> None:
    """Take out the outbound half: a kernel would turn to it again where the newer one is worn."""
    if child.outbound_installed:
        child.outbound_installed = False
        association.emit(RemoveChildSa(names_of(child.sending)))


def remove(association: Association, child: ChildSa) -> None:
    """Take a Child SA out of the data plane and forget it."""
    association.children.discard(child)
    if child.inbound_installed:
        association.emit(RemoveChildSa(child.installed_sas, child.installed_policies))


@dataclass(frozen=True, slots=True)
class InstallOffered:
    """The initiator's Child SA: when it is in the data plane, it is up.

    `old` is the one it replaces, `rival` what the peer has made in an exchange that crossed ours.
    """

    child: ChildSa
    request: Request
    old: ChildSa | None = None
    rival: ChildSa | None = None

    def resumed(self, association: Association, event: Reply) -> None:
        """Up, or deleted again because the data plane refused it: what it replaces goes on."""
        children, old = association.children, self.old
        if isinstance(event, KernelRefused):
            _refused(association, self.child, event)
            self._give_back(association)
            self.request.finish_part(association, _refusal(self.child, event))
            return
        if self.child.state is not ChildState.INSTALLING:
            self.request.finish_part(association, "it was deleted meanwhile")
            if old is not None:
                children.successor_deleted(old)
            return
        if old is not None and old.unwanted:
            self.child.unwanted = True
            children.delete(self.child, self.request)
            return
        children.went_up(self.child, old)
        self.request.finish_part(association)
        if old is not None:
            children.prevailed(self.child, old, self.rival)
            if old.state is ChildState.REKEYING:
                stop_sending(association, old)
                children.delete(old, Request(None), first=True)
        elif self.rival is not None and children.lives(self.rival):
            children.make_redundant(self.rival)

    def _give_back(self, association: Association) -> None:
        if self.child.state is ChildState.INSTALLING:
            association.children.delete(self.child, Request(None))
        if self.old is not None:
            association.children.went_on(self.old)
        association.children.went_down(self.child, "its successor was refused")
        if self.old is None:
            keep_up(association, self.child.settings)


@dataclass(frozen=True, slots=True)
class InstallRedundant:
    """The loser of a collision: the peer may send through it until it hears of its end."""

    child: ChildSa

    def resumed(self, association: Association, event: Reply) -> None:
        """Its Delete is on its way, whatever the data plane says."""
        if isinstance(event, KernelRefused):
            self.child.refused()


@quick
class InstallDemanded:
    """The responder's Child SA: when it is in the data plane, the answer may leave."""

    ike_sa: IkeSa
    answer: Answer
    child: ChildSa

    def resumed(self, association: Association, event: Reply) -> None:
        """Answer, with the refusal where the data plane refused."""
        children, child = association.children, self.child
        if isinstance(event, KernelRefused):
            _refused(association, child, event)
            children.discard(child)
            self.ike_sa.respond(association, self.answer.otherwise)
            children.went_down(child, "its successor was refused")
            return
        self.ike_sa.respond(association, self.answer.payloads)
        if child.state is not ChildState.INSTALLING:
            return
        old = children.replaced_by(child)
        children.went_up(child, old)
        is_waiting = old is None or old.state is ChildState.RETIRED
        if not is_waiting or has_sender_beside(children, child):
            return
        if association.overlap is not None:
            # By then a peer that says nothing has our answer, or has given up.
            settled = patience(association.connection.retransmission)
            association.timers.start(Timer.OVERLAP, association.now + settled)
            return
        install_outbound(association, child)


@quick
class OutboundInstalled:
    """The outbound half of a responder's rekeyed Child SA."""

    child: ChildSa

    def resumed(self, association: Association, event: Reply) -> None:
        """Nothing more to do; a refusal costs the Child SA."""
        if isinstance(event, KernelRefused):
            self.child.outbound_installed = False
            _report_refusal(association, self.child, event)
            if self.child.state is not ChildState.RETIRED:
                association.children.delete(self.child, Request(None))
                keep_up(association, self.child.settings)


def _refused(association: Association, child: ChildSa, event: KernelRefused) -> None:
    child.refused()
    _report_refusal(association, child, event)


def _report_refusal(association: Association, child: ChildSa, event: KernelRefused) -> None:
    association.report("kernel-refused", _refusal(child, event), Level.ERROR)


def _refusal(child: ChildSa, event: KernelRefused) -> str:
    return f"the data plane refused Child SA {child.name}: {event.text}"
