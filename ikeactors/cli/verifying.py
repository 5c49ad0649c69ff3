"""`ikeactors verify`: what the daemon would say of a certificate, and why, without a daemon."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ikeactors.actors.printable import printable
from ikeactors.cli.tables import aligned, print_document
from ikeactors.errors import AuthenticationFailed, Fault

if TYPE_CHECKING:
    from cryptography import x509

    from ikeactors.config import Configuration
    from ikeactors.config.dnssec import DnsSettings
    from ikeactors.protocol.examining import Check, Examination
    from ikeactors.protocol.settings import AuthSettings, ConnectionSettings
    from ikeactors.wire.identities import Identity

ACCEPTED = 0
REFUSED = 1
CANNOT_SAY = 2

_PARAGRAPH = 1024


class _CannotSay(Fault):
    """There is nothing to examine, or nothing to examine it by."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A check and what came of it."""

    check: str
    passed: bool
    text: str


def verify(options: argparse.Namespace) -> int:
    """Examine certificates as a connection would, and tell every step."""
    try:
        examination, identity, auth, dns = _examined(options)
    except _CannotSay as fault:
        print(f"ikeactors: {printable(str(fault), _PARAGRAPH)}", file=sys.stderr)
        return CANNOT_SAY
    findings = [_of_pattern(auth, identity), *map(_finding, examination.checks())]
    if auth.dnssec and dns is not None:
        findings.append(_of_name(dns, identity))
    accepted = all(one.passed for one in findings)
    if options.json:
        print_document({"ok": accepted, "checks": list(map(asdict, findings))})
    else:
        for line in _lines(examination, findings):
            print(printable(line, _PARAGRAPH))
        print(_verdict(options, findings, identity, auth))
    return ACCEPTED if accepted else REFUSED


def _examined(
    options: argparse.Namespace,
) -> tuple[Examination, Identity, AuthSettings, DnsSettings | None]:
    from cryptography.hazmat.primitives.serialization import Encoding

    from ikeactors.iana import CertificateEncoding
    from ikeactors.protocol.keyring import Keyring
    from ikeactors.wire.payload import Certificate

    connection, configuration = _configured(options)
    auth, credentials = _round(options, connection), configuration.credentials
    if auth.public_keys or auth.ipseckey:
        raise _CannotSay(f"connection {connection.name} believes raw public keys, no certificate")
    if not auth.by_public_key or not isinstance(credentials, Keyring):
        raise _CannotSay(f"the peer of connection {connection.name} has {auth.demand}")
    certificates = list(_read(options.certificates))
    identity = _identity(options, auth, certificates[0])
    encoding = CertificateEncoding.X509_SIGNATURE
    sent = [Certificate(encoding, one.public_bytes(Encoding.DER)) for one in certificates]
    at = options.at.timestamp() if options.at else time.time()
    try:
        examination = credentials.examine(auth, identity, sent, at)
    except AuthenticationFailed as fault:
        raise _CannotSay(str(fault)) from None
    return examination, identity, auth, configuration.dns


def _round(options: argparse.Namespace, connection: ConnectionSettings) -> AuthSettings:
    """The identity that is asked for: one by its number, or the first that has a certificate."""
    rounds = connection.remote_rounds
    number: int | None = options.round
    if number is None:
        return next((one for one in rounds if one.by_public_key), rounds[0])
    if number > len(rounds):
        raise _CannotSay(f"round {len(rounds)} is the last of connection {connection.name}")
    return rounds[number - 1]


def _configured(options: argparse.Namespace) -> tuple[ConnectionSettings, Configuration]:
    from ikeactors.config import ConfigurationFaults, load

    try:
        configuration = load(options.config)
    except ConfigurationFaults as faults:
        raise _CannotSay(f"{options.config}: {faults.mistakes[0]}") from None
    for connection in configuration.connections:
        if connection.name == options.connection:
            return connection, configuration
    names = ", ".join(one.name for one in configuration.connections)
    raise _CannotSay(f"{options.config} has no connection {options.connection}; it has {names}")


def _read(paths: Sequence[object]) -> Iterator[x509.Certificate]:
    from pathlib import Path

    from ikeactors.config.certificates import certificates_in
    from ikeactors.config.mistakes import Refused

    for path in paths:
        try:
            yield from certificates_in(Path(str(path)))
        except Refused as refused:
            raise _CannotSay(f"{path}: {refused.complaints[0][1]}") from None


def _identity(
    options: argparse.Namespace, auth: AuthSettings, certificate: x509.Certificate
) -> Identity:
    """Who the peer says it is: as told, as configured, or the name that fits the pattern best."""
    from ikeactors.crypto.pki.bindings import alternative_names, identity_from
    from ikeactors.wire.identities import Identity

    if options.id:
        try:
            return Identity.from_text(options.id)
        except ValueError as error:
            raise _CannotSay(str(error)) from None
    pattern = auth.id
    if pattern.identity is not None:
        return pattern.identity
    held = [*alternative_names(certificate), identity_from(certificate)]
    return max(held, key=pattern.quality)


def _of_pattern(auth: AuthSettings, identity: Identity) -> Finding:
    """Whether the connection is for this identity at all."""
    return Finding("connection", auth.id.quality(identity) > 0, f"it is for {auth.id}")


def _of_name(dns: DnsSettings, identity: Identity) -> Finding:
    """Where DNSSEC says that the peer is, which its packets have to come from."""
    from ikeactors.cli.naming import NotProven, proven_addresses

    try:
        found = proven_addresses(dns, identity)
    except NotProven as fault:
        return Finding("name", False, f'{fault} (dnssec = "require")')
    return Finding("name", True, f"{identity} is {found}, by DNSSEC: packets have to be from there")


def _finding(check: Check) -> Finding:
    try:
        check.run()
    except AuthenticationFailed as fault:
        return Finding(check.name, False, str(fault))
    return Finding(check.name, True, check.found())


def _lines(examination: Examination, findings: Sequence[Finding]) -> Iterator[str]:
    path = examination.path.certificates if examination.path else (examination.end_entity,)
    for number, certificate in enumerate(path):
        yield f"{'   ' * number}{'`- ' if number else ''}{_described(certificate)}"
    rows = [("ok" if one.passed else "NO", one.check, one.text) for one in findings]
    yield from aligned(rows)


def _described(certificate: x509.Certificate) -> str:
    subject = certificate.subject.rfc4514_string() or "no subject"
    since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return (
        f"{subject}, valid from {since:%Y-%m-%d} to {until:%Y-%m-%d}, "
        f"serial number {certificate.serial_number:x}"
    )


def _verdict(
    options: argparse.Namespace,
    findings: Sequence[Finding],
    identity: Identity,
    auth: AuthSettings,
) -> str:
    name = printable(str(identity), _PARAGRAPH)
    count = sum(not one.passed for one in findings)
    if count:
        checks = f"{count} check{'' if count == 1 else 's'}"
        return f"{options.connection} would refuse {name}: {checks} failed"
    where = ""
    if identity.is_address and auth.match_address:
        where = f", from packets of {name} alone (match_address)"
    return f"{options.connection} would accept {name}{where}"
