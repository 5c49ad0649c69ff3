"""An association made of a checkpoint, and what it does first: go on where it was.

The data plane may have kept everything, or nothing: what is there is adopted, what is not is
negotiated anew, for an SA that is made again would count its packets, and so its IVs, from the
beginning. Requests that are not answered are sent again, the same octets; nothing is sealed twice
with one IV, whatever the checkpoint had missed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ikeactors.iana import ExchangeType
from ikeactors.protocol.actions import (
    AdoptChildSa,
    ClaimIdentity,
    Level,
    RegisterSpi,
    RemoveChildSa,
)
from ikeactors.protocol.credentials import PeerProof
from ikeactors.protocol.events import Address, KernelRefused, Reply
from ikeactors.protocol.ikev2 import following, reauthentication
from ikeactors.protocol.ikev2.checkpoint import Checkpoint, SavedChildSa, SavedIkeSa
from ikeactors.protocol.ikev2.child_sa import Agreement, ChildSa, ChildState, policies_of
from ikeactors.protocol.ikev2.collisions import NoncePair, Patience, RivalIkeSa
from ikeactors.protocol.ikev2.fragments import Fragmenting
from ikeactors.protocol.ikev2.ike_sa import IkeSa, IkeSaState, Spis
from ikeactors.protocol.ikev2.inflight import Forgotten, thaw
from ikeactors.protocol.ikev2.installing import InstallOffered
from ikeactors.protocol.ikev2.mobike import Mobike
from ikeactors.protocol.ikev2.nat import NatSituation
from ikeactors.protocol.ikev2.overlap import Overlap
from ikeactors.protocol.ikev2.phases import Established
from ikeactors.protocol.ikev2.requests import Request
from ikeactors.protocol.ikev2.retransmission import watch
from ikeactors.protocol.ikev2.stored import Unrestorable
from ikeactors.protocol.ikev2.window import Outstanding, RequestWindow, ResponseWindow
from ikeactors.protocol.settings import ChildSettings, Unique
from ikeactors.protocol.snapshot import ChildSnapshot
from ikeactors.protocol.timers import Timer

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association

# Ours: so many IVs of a counter are left out at a restart, in case that the last ones that were
# used are not in the checkpoint. There are 2^64.
RESERVED_IVS = 1 << 32


def put_back(association: Association, checkpoint: Checkpoint, now: float, elapsed: float) -> None:
    """Make a fresh association what the checkpoint says, so long after it was taken.

    What it asks for leaves with its first step.
    """
    association.now = now
    began_at = now - elapsed
    association.phase = Established(checkpoint.local_id, checkpoint.remote_id, None)
    association.nat = NatSituation(*checkpoint.nat)
    association.fragmenting = Fragmenting(*checkpoint.fragments)
    association.created_at = began_at - checkpoint.age
    association.last_heard_at = began_at - checkpoint.silence
    association.octets_heard = checkpoint.octets_heard
    association.numbers = checkpoint.numbers
    for name, values in checkpoint.extras.items():
        if name in _EXTRAS:
            _EXTRAS[name](association, *values)
    _put_back_ike_sas(association, checkpoint, began_at)
    departed = _put_back_children(association, checkpoint, began_at)
    for saved in checkpoint.ike_sas:
        _put_back_requests(association, departed, saved)
    _put_back_timers(association, checkpoint, began_at)
    offered = (thaw(association, departed, one) for one in checkpoint.installs)
    due = frozenset(one.number for one in checkpoint.children if one.is_outbound_due)
    _announce(association, due, {one.child.number: one for one in offered if one is not None})


def _put_back_ike_sas(association: Association, checkpoint: Checkpoint, began_at: float) -> None:
    ike_sas = association.ike_sas
    ike_sas.put_back(tuple(map(_ike_sa, checkpoint.ike_sas)), checkpoint.current)
    if not ike_sas.exists:
        raise Unrestorable("it has no IKE SA")
    ike_sas.is_replacing = checkpoint.is_replacing
    since, refusals = checkpoint.patience
    ike_sas.patience = Patience(began_at - since, refusals)
    if checkpoint.rival is not None:
        number, *nonces = checkpoint.rival
        rival = ike_sas.numbered(number)
        ike_sas.rival = None if rival is None else RivalIkeSa(rival, NoncePair(*nonces))


def _ike_sa(saved: SavedIkeSa) -> IkeSa:
    requests, responses = RequestWindow(saved.next_id), ResponseWindow(saved.expected_id)
    requests.size = saved.window_size
    if saved.answers:
        responses.put_back(saved.answers)
    spis = Spis(saved.spi_i, saved.spi_r, saved.original_initiator)
    ike_sa = IkeSa(saved.number, spis, saved.suite, saved.keys, (requests, responses))
    ike_sa.state = IkeSaState(saved.state)
    ike_sa.token = saved.token
    ike_sa.iv_counter = saved.iv_counter + RESERVED_IVS
    return ike_sa


def _put_back_requests(
    association: Association, departed: dict[int, ChildSa], saved: SavedIkeSa
) -> None:
    ike_sa = association.ike_sas.numbered(saved.number)
    assert ike_sa is not None
    ike_sa.requests.outstanding = tuple(
        Outstanding(
            one.message_id,
            one.datagrams,
            thaw(association, departed, one.inflight) or Forgotten(ExchangeType(one.exchange)),
            one.payloads,
            one.tries,
            due_at=association.now,
        )
        for one in saved.outstanding
    )
    waiting = (thaw(association, departed, one) for one in saved.queue)
    ike_sa.queue = [one for one in waiting if one is not None]
    watch(association, ike_sa)


def _put_back_children(
    association: Association, checkpoint: Checkpoint, began_at: float
) -> dict[int, ChildSa]:
    """The Child SAs; those that are gone and still named are returned."""
    restored = {
        one.number: _child(association, one, began_at)
        for one in (*checkpoint.children, *checkpoint.departed)
    }
    for one in (*checkpoint.children, *checkpoint.departed):
        restored[one.number].successor = restored.get(one.successor)
    for one in checkpoint.children:
        association.children.put_back(restored.pop(one.number))
    children = association.children
    children.told, children.early = checkpoint.told, checkpoint.early
    connection = association.connection
    named = ((number, connection.child(name)) for number, name in checkpoint.wanted)
    children.wanted = {number: child for number, child in named if child is not None}
    return restored


def _child(association: Association, saved: SavedChildSa, began_at: float) -> ChildSa:
    # A child that is not configured any more goes on as it is, and is not brought up again.
    connection = association.connection
    settings = connection.child(saved.name) or ChildSettings(saved.name)
    inbound, outbound = saved.inbound, saved.outbound
    ends = (saved.local_ts, saved.remote_ts, inbound.spi, outbound.spi)
    cpis = (inbound.cpi, outbound.cpi)
    agreement = Agreement(inbound.suite, inbound.mode, *ends, cpis=cpis)
    policies = policies_of(connection, settings, agreement, association.path, inbound.reqid)
    created_at = began_at - saved.age
    child = ChildSa(saved.number, settings, agreement, (inbound, outbound), policies, created_at)
    child.state = ChildState(saved.state)
    child.inbound_installed = saved.is_inbound_installed
    child.outbound_installed = saved.is_outbound_installed
    child.delete_sent, child.is_ours = saved.delete_sent, saved.is_ours
    child.unwanted = saved.unwanted
    return child


def _put_back_timers(association: Association, checkpoint: Checkpoint, began_at: float) -> None:
    known = {timer.value: timer for timer in Timer}
    for name, number, due_in in checkpoint.timers:
        if name in known:
            association.timers.start(known[name], began_at + due_in, number)


def _put_back_mobike(
    association: Association,
    decides: bool,
    peers: tuple[Address, ...],
    told: tuple[Address, ...],
    mapping: bytes,
) -> None:
    association.mobike = Mobike(decides, peers, told)
    association.mobike.mapping = mapping


def _put_back_overlap(
    association: Association,
    older: tuple[ChildSnapshot, ...],
    is_lost: bool,
    is_ours: bool = False,
) -> None:
    association.overlap = Overlap(older, is_ours=is_ours)
    association.overlap.is_lost = is_lost


def _put_back_proof(association: Association, proof: PeerProof) -> None:
    assert isinstance(association.phase, Established)
    association.phase = replace(association.phase, proof=proof)


# What it asks for in its first step.


def _announce(
    association: Association, due: frozenset[int], offered: dict[int, InstallOffered]
) -> None:
    """The SPIs are ours again, and the data plane is asked what it has kept."""
    phase, now = association.phase, association.now
    assert isinstance(phase, Established)
    for ike_sa in association.ike_sas:
        association.emit(RegisterSpi(ike_sa.spis.ours))
    # Who stood stands: nobody else has to go for it, and nobody waits for the answer.
    association.emit(
        ClaimIdentity(0, phase.local, phase.remote, Unique.NO, False, began_at=now, claimed_at=now)
    )
    association.report("ike-sa-restored", _description(association))
    for child in association.children:
        _keep_replaced(association, child)
        _adopt(association, child, child.number in due, offered.get(child.number))


def go_on(association: Association) -> None:
    """What waited for its turn has it now; requests that are out go out again by their timer."""
    for ike_sa in association.ike_sas:
        ike_sa.send_next(association)
    reauthentication.go_on(association)


def _description(association: Association) -> str:
    children = ", ".join(dict.fromkeys(child.name for child in association.children))
    return f"the IKE SA with {association.remote} goes on, with Child SAs {children or 'none'}"


def _keep_replaced(association: Association, child: ChildSa) -> None:
    """What the peer was replacing goes on until the peer asks again."""
    if child.state is ChildState.REKEYED and child.successor is None:
        association.children.goes_on(child)


def _adopt(
    association: Association, child: ChildSa, is_due: bool, offered: InstallOffered | None
) -> None:
    if not child.installed:
        return
    ticket = association.wait_for(Adopted(child, offered))
    there, due = (child.receiving, child.sending) if is_due else (child.installed, ())
    association.emit(AdoptChildSa(ticket, there, child.policies, due))


@dataclass(frozen=True, slots=True)
class Adopted:
    """A Child SA that was there before the restart, or was to be: then `offered` goes on."""

    child: ChildSa
    offered: InstallOffered | None = None

    def resumed(self, association: Association, event: Reply) -> None:
        """It goes on; where the data plane has lost it, another one comes in its place."""
        children, child, offered = association.children, self.child, self.offered
        if offered is not None:
            offered.resumed(association, event)
            if isinstance(event, KernelRefused) and offered.old is None:
                self._replace(association)
            return
        if not isinstance(event, KernelRefused):
            if child.is_up and child.name in children.told:
                following.tell_up(association, child, again=True)
            return
        if child.inbound_installed:
            # The outbound half may have come since; the policies may be another's too.
            association.emit(RemoveChildSa(child.installed_sas))
        child.refused()
        if child not in children or child.state is ChildState.RETIRED:
            return
        text = f"the data plane has lost Child SA {child.name}: {event.text}"
        association.report("child-sa-lost", text, Level.WARNING)
        was_up = child.is_up
        if child.state is not ChildState.DELETING:
            children.delete(child, Request(None))
        if was_up:
            self._replace(association)

    def _replace(self, association: Association) -> None:
        name = self.child.name
        if association.connection.child(name) is not None:
            association.children.create(self.child.settings, Request(None))


# What features of their own have in a checkpoint, by name; what is not known is left out.
_EXTRAS: dict[str, Callable[..., None]] = {
    "mobike": _put_back_mobike,
    "overlap": _put_back_overlap,
    "proof": _put_back_proof,
}
