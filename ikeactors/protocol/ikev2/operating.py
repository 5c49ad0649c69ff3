"""What operators, and the configuration in their name, ask of an association."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.errors import InvalidSyntax
from ikeactors.protocol.actions import AnswerRequest, RegisterSpi
from ikeactors.protocol.events import DeletionRequested, InitiationRequested, RekeyRequested
from ikeactors.protocol.ikev2 import pairs, reauthentication
from ikeactors.protocol.ikev2.authentication import OVERTAKEN, is_overtaken
from ikeactors.protocol.ikev2.child_sa import ChildSa, ChildState
from ikeactors.protocol.ikev2.demands import work_of
from ikeactors.protocol.ikev2.ike_auth import AuthInitiator
from ikeactors.protocol.ikev2.ike_sa_init import InitSent
from ikeactors.protocol.ikev2.overlap import Overlap, is_held
from ikeactors.protocol.ikev2.phases import Authenticating, Established, Fresh
from ikeactors.protocol.ikev2.rekey_ike_sa import RekeyIkeInitiator
from ikeactors.protocol.ikev2.requests import Request
from ikeactors.protocol.ikev2.transcript import Transcript
from ikeactors.protocol.ikev2.wanting import give_up
from ikeactors.protocol.settings import ChildSettings
from ikeactors.protocol.timers import Timer

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association


def initiate(association: Association, event: InitiationRequested) -> None:
    """Bring up what is wanted: the IKE SA with its first child, or further children."""
    wanted = () if event.childless else _wanted(association, event.children)
    if not (wanted or event.childless):
        named = ", ".join(event.children) or "any child"
        text = f"connection {association.connection.name} does not have {named}"
        _answer(association, event.request_id, text)
        if isinstance(association.phase, Fresh):
            association.fail(text)
        return
    phase = association.phase
    if isinstance(phase, Fresh):
        if event.beside:
            association.overlap = Overlap(event.beside, is_ours=True)
        then = reauthentication.complete if event.beside else None
        request = Request(event.request_id, len(wanted), then, event.trigger)
        _connect(association, wanted, request)
    elif isinstance(phase, Established):
        _create(association, wanted, event)
    elif isinstance(phase, InitSent):
        phase.join(wanted, event.request_id)
    elif not (isinstance(phase, Authenticating) and phase.join(wanted, event.request_id)):
        _answer(association, event.request_id, "the IKE SA is being negotiated already")


def _connect(association: Association, wanted: tuple[ChildSettings, ...], request: Request) -> None:
    association.created_at = association.now
    phase = InitSent(association, wanted, request)
    association.phase = phase
    association.emit(RegisterSpi(phase.spi))
    association.report(
        "ike-sa-initiated",
        f"initiating connection {association.connection.name} "
        f"from {association.local} to {association.remote}",
    )
    phase.send(association)


def authenticate(association: Association, transcript: Transcript, sent: InitSent) -> None:
    """IKE_SA_INIT is done: prove who we are, and ask for the first child."""
    assert isinstance(association.phase, Authenticating)
    if is_overtaken(association):
        sent.request.leave()
        association.close(OVERTAKEN)
        return
    association.phase.begin(sent.wanted, sent.request)
    first = AuthInitiator(association, transcript, sent.wanted, sent.request)
    try:
        association.phase.work = work_of(association, transcript, first)
    except InvalidSyntax as fault:
        association.fail(f"the peer {association.remote} cannot be answered: {fault}")
        return
    if association.phase.work is not None:
        association.timers.start(Timer.PUZZLE, association.now)
        return
    association.ike_sa.ask(association, first)


def _create(
    association: Association, wanted: tuple[ChildSettings, ...], event: InitiationRequested
) -> None:
    named = association.children.named
    missing = [one for one in wanted if not pairs.is_met(named(one.name), event.trigger)]
    if not missing:
        _answer(association, event.request_id, "")
        return
    request = Request(event.request_id, len(missing), trigger=event.trigger)
    for settings in missing:
        association.children.create(settings, request)


def _wanted(association: Association, names: tuple[str, ...]) -> tuple[ChildSettings, ...]:
    children = association.connection.children
    if not names:
        return children
    return tuple(child for child in children if child.name in names)


def rekey(association: Association, event: RekeyRequested) -> None:
    """Rekey the IKE SA, or the Child SAs that are named, or begin anew."""
    if not association.established:
        _answer(association, event.request_id, "the IKE SA is not established")
        return
    if event.reauthenticate:
        reauthentication.begin(association, event.request_id)
        return
    if event.child is None and event.spi is None:
        exchange = RekeyIkeInitiator(Request(event.request_id), association.ike_sa)
        association.ike_sa.ask(association, exchange)
        return
    if is_held(association):
        _answer(association, event.request_id, "the IKE SA is being reauthenticated")
        return
    chosen = [
        child
        for child in _chosen(association, event.child, event.spi)
        if child.state is ChildState.INSTALLED
    ]
    if not chosen:
        _answer(association, event.request_id, "no such Child SA can be rekeyed now")
        return
    request = Request(event.request_id, len(chosen))
    for child in chosen:
        association.children.rekey(child, request)


def delete(association: Association, event: DeletionRequested) -> None:
    """Delete the IKE SA, or the Child SAs that are named."""
    if not association.established:
        association.close("cancelled")
        _answer(association, event.request_id, "")
        return
    if event.child is None and event.spi is None:
        association.delete_ike_sa("deleted by the operator", Request(event.request_id))
        return
    if event.child is not None:
        give_up(association, event.child)
    chosen = _chosen(association, event.child, event.spi)
    if not chosen:
        _answer(association, event.request_id, "there is no such Child SA")
        return
    request = Request(event.request_id, len(chosen))
    for child in chosen:
        association.children.delete_line(child, request)


def _chosen(association: Association, name: str | None, spi: int | None) -> list[ChildSa]:
    named = [
        child
        for child in association.children
        if child.state in _CHOOSABLE and (child.name == name or child.spi_in == spi)
    ]
    return [child for child in named if child.successor not in named]


# What an operator can mean: one that was rekeyed stands for what has come in its place.
_CHOOSABLE = (ChildState.INSTALLED, ChildState.REKEYING, ChildState.REKEYED)


def _answer(association: Association, request_id: int | None, problem: str) -> None:
    if request_id is not None:
        association.emit(AnswerRequest(request_id, not problem, problem))
