"""What an association asks of others about its peer; the answers come into its mailbox."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ikeactors.actors.mailbox import Mailbox
from ikeactors.crypto.pki.revocation import RevocationFinding
from ikeactors.protocol import actions
from ikeactors.protocol.events import (
    Address,
    CertificatesFetched,
    NameChecked,
    RevocationChecked,
    SignedByToken,
)

if TYPE_CHECKING:
    from ikeactors.actors.peer import Outlets, Peer


def check_revocation(peer: Peer, action: actions.CheckRevocation, outlets: Outlets) -> None:
    """Whether its peer's certificates are revoked."""
    answer = partial(_report_findings, peer.mailbox, action.ticket)
    outlets.checks.check(action.chain, answer, action.answers)


def fetch_certificates(peer: Peer, action: actions.FetchCertificates, outlets: Outlets) -> None:
    """The certificates that its peer has named."""
    outlets.look_up(action.names, partial(_report_fetched, peer.mailbox, action.ticket))


def sign_by_token(peer: Peer, action: actions.SignByToken, outlets: Outlets) -> None:
    """The signature of a key of ours that a token keeps."""
    report = partial(_report_signed, peer.mailbox, action.ticket)
    outlets.sign(action.key, action.algorithm, action.octets, report)


def check_name(peer: Peer, action: actions.CheckName, outlets: Outlets) -> None:
    """What DNSSEC proves of its peer's name."""
    report = partial(_report_name, peer.mailbox, action.ticket, action.name)
    outlets.names.check(action.name, report)


def _report_signed(mailbox: Mailbox, ticket: int, signature: bytes, refusal: str) -> None:
    mailbox.post_assured(SignedByToken(ticket, signature, refusal))


def _report_fetched(
    mailbox: Mailbox, ticket: int, certificates: tuple[bytes, ...], failures: tuple[str, ...]
) -> None:
    mailbox.post_assured(CertificatesFetched(ticket, certificates, failures))


def _report_findings(
    mailbox: Mailbox, ticket: int, findings: tuple[RevocationFinding, ...]
) -> None:
    mailbox.post_assured(RevocationChecked(ticket, findings))


def _report_name(
    mailbox: Mailbox, ticket: int, name: str, addresses: tuple[Address, ...], refusal: str
) -> None:
    mailbox.post_assured(NameChecked(ticket, name, addresses, refusal))
