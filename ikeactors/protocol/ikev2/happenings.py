"""What can happen to an association, and who takes it: its table of dispatch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.kernel.compression import IPCOMP
from ikeactors.protocol.events import (
    CertificatesFetched,
    ChildSaInstalled,
    DatagramReceived,
    DeletionRequested,
    Event,
    IdentityClaimed,
    InitiationRequested,
    KernelRefused,
    LocalAddressesChanged,
    NameChecked,
    OlderEnded,
    ReauthenticationFailed,
    RekeyRequested,
    RenewalGivenUp,
    Renewed,
    Restored,
    RevocationChecked,
    SaExpired,
    SaMappingChanged,
    SendingFailed,
    SignedByToken,
    Superseded,
    TimerExpired,
    UsageReported,
)
from ikeactors.protocol.ikev2 import (
    lifetimes,
    operating,
    overlap,
    paths,
    reauthentication,
    restoring,
    roaming,
)
from ikeactors.protocol.ikev2.authentication import OVERTAKEN
from ikeactors.protocol.ikev2.ike_sa_init import InitSent
from ikeactors.protocol.ikev2.reception import receive
from ikeactors.protocol.ikev2.requests import Request

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association


def dispatch(association: Association, event: Event) -> None:
    """Give an event to what it is for."""
    match event:
        case DatagramReceived():
            receive(association, event)
        case SendingFailed():
            if isinstance(association.phase, InitSent):
                association.phase.unsent(association, event.text)
        case TimerExpired():
            lifetimes.expire(association)
        case ChildSaInstalled() | KernelRefused() | IdentityClaimed():
            association.resume(event)
        case RevocationChecked() | NameChecked() | CertificatesFetched() | UsageReported():
            association.resume(event)
        case SignedByToken():
            association.resume(event)
        case InitiationRequested():
            operating.initiate(association, event)
        case RekeyRequested():
            operating.rekey(association, event)
        case DeletionRequested():
            operating.delete(association, event)
        case Restored():
            restoring.go_on(association)
        case Superseded():
            _supersede(association, event)
        case Renewed():
            overlap.renewed(association, event)
        case RenewalGivenUp():
            overlap.go_on(association)
        case ReauthenticationFailed():
            reauthentication.failed(association, event)
        case OlderEnded():
            overlap.end(association)
        case SaExpired():
            _expire_sa(association, event)
        case SaMappingChanged():
            paths.follow_mapping(association, event)
        case LocalAddressesChanged():
            roaming.look_around(association)


def _supersede(association: Association, event: Superseded) -> None:
    reason = "another IKE SA between the same identities has taken its place"
    if event.unproven:
        if isinstance(association.phase, InitSent):
            association.close(OVERTAKEN)
        return
    if event.silent or not association.established:
        association.close(reason)
    elif association.overlap is not None or event.gently:
        overlap.retreat(association)
    else:
        association.delete_ike_sa(reason, Request(None))


def _expire_sa(association: Association, event: SaExpired) -> None:
    spi = event.sa_id.spi
    children = association.children
    if event.sa_id.protocol == IPCOMP:
        child = children.by_cpi(spi)
    else:
        child = children.by_spi_in(spi) or children.by_spi_out(spi)
    if child is not None and association.established:
        association.children.expire(child, event.hard)
