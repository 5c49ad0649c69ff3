"""Child SAs on their way into the data plane and out of it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ikeactors.protocol.actions import InstallChildSa, Level, RemoveChildSa
from ikeactors.protocol.events import ChildSaInstalled, IdentityClaimed, KernelRefused
from ikeactors.protocol.ikev2.child_sa import ChildSa, ChildState
from ikeactors.protocol.ikev2.exchange import Answer, Continuation
from ikeactors.protocol.ikev2.requests import Request
from ikeactors.protocol.timers import Timer
from ikeactors.quick import quick

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.ike_sa import IkeSa

# Ours: how long the inbound SA of a rekeyed or deleted pair outlives it, for packets that are
# still under way. strongSwan waits as long.
RETIRED_FOR = 5.0


def install(association: Association, child: ChildSa, then: Continuation) -> None:
    """Install both SAs and the policies; `then` goes on."""
    child.inbound_installed = child.outbound_installed = True
    ticket = association.wait_for(then)
    association.emit(InstallChildSa(ticket, (child.inbound, child.outbound), child.policies))


def install_for_answer(
    association: Association, ike_sa: IkeSa, answer: Answer, child: ChildSa
) -> None:
    """Install what an answer promises, then let it leave.

    With `inbound_only` the outbound SA waits: the peer may not be ready to receive yet.
    """
    then = InstallDemanded(ike_sa, answer, child)
    if not answer.inbound_only:
        install(association, child, then)
        return
    child.inbound_installed = True
    ticket = association.wait_for(then)
    association.emit(InstallChildSa(ticket, (child.inbound,), child.policies))


def install_outbound(association: Association, child: ChildSa) -> None:
    """The peer can receive now: send through this SA from here on."""
    if child.outbound_installed:
        return
    child.outbound_installed = True
    ticket = association.wait_for(OutboundInstalled(child))
    association.emit(InstallChildSa(ticket, (child.outbound,)))


def retire(association: Association, child: ChildSa) -> None:
    """Stop sending through a Child SA; go on receiving for a moment."""
    if child.state is ChildState.RETIRED:
        return
    association.children.stop_timers(child)
    child.state = ChildState.RETIRED
    if child.outbound_installed:
        child.outbound_installed = False
        association.emit(RemoveChildSa((child.outbound.sa_id,)))
    association.timers.start(Timer.CHILD_RETIRE, association.now + RETIRED_FOR, child.number)


def remove(association: Association, child: ChildSa) -> None:
    """Take a Child SA out of the data plane and forget it."""
    association.children.stop_timers(child)
    association.timers.stop(Timer.CHILD_RETIRE, child.number)
    association.children.discard(child)
    if child.inbound_installed:
        association.emit(RemoveChildSa(child.installed_sas, child.installed_policies))


@dataclass(frozen=True, slots=True)
class InstallOffered:
    """The initiator's Child SA: when it is in the data plane, it is up."""

    child: ChildSa
    request: Request
    replaces: int | None = None

    def resumed(
        self, association: Association, event: ChildSaInstalled | KernelRefused | IdentityClaimed
    ) -> None:
        """Up, or deleted again because the data plane refused it: what it replaces goes on."""
        old = association.children.get(self.replaces) if self.replaces is not None else None
        if isinstance(event, KernelRefused):
            _refused(association, self.child, event)
            association.children.delete(self.child, Request(None))
            if old is not None and old.state is ChildState.REKEYING:
                old.state = ChildState.INSTALLED
                association.children.retry_rekey(old)
            self.request.finish_part(association, _refusal(self.child, event))
            return
        association.children.went_up(self.child, old)
        self.request.finish_part(association)
        if old is not None and old.state is not ChildState.RETIRED:
            old.state = ChildState.REKEYED
            association.children.delete(old, Request(None))


@quick
@dataclass(frozen=True, slots=True)
class InstallDemanded:
    """The responder's Child SA: when it is in the data plane, the answer may leave."""

    ike_sa: IkeSa
    answer: Answer
    child: ChildSa

    def resumed(
        self, association: Association, event: ChildSaInstalled | KernelRefused | IdentityClaimed
    ) -> None:
        """Answer, with the refusal where the data plane refused."""
        if isinstance(event, KernelRefused):
            _refused(association, self.child, event)
            association.children.discard(self.child)
            association.children.replacement_lost(self.child)
            self.ike_sa.respond(association, self.answer.otherwise)
            return
        self.ike_sa.respond(association, self.answer.payloads)
        children = association.children
        children.went_up(self.child, children.replaced_by(self.child))


@quick
@dataclass(frozen=True, slots=True)
class OutboundInstalled:
    """The outbound half of a responder's rekeyed Child SA."""

    child: ChildSa

    def resumed(
        self, association: Association, event: ChildSaInstalled | KernelRefused | IdentityClaimed
    ) -> None:
        """Nothing more to do; a refusal costs the Child SA."""
        if isinstance(event, KernelRefused):
            self.child.outbound_installed = False
            _report_refusal(association, self.child, event)
            association.children.delete(self.child, Request(None))


def _refused(association: Association, child: ChildSa, event: KernelRefused) -> None:
    child.refused()
    _report_refusal(association, child, event)


def _report_refusal(association: Association, child: ChildSa, event: KernelRefused) -> None:
    association.report("kernel-refused", _refusal(child, event), Level.ERROR)


def _refusal(child: ChildSa, event: KernelRefused) -> str:
    return f"the data plane refused Child SA {child.name}: {event.text}"
