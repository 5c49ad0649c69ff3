"""Whom the daemon believes: its keys and authorities, and who finds out what is revoked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ikeactors import expiring
from ikeactors.actors.entropy import SystemEntropy
from ikeactors.actors.names import Lookup
from ikeactors.actors.reports import ReportHub
from ikeactors.actors.supervisor import ChildSpecification
from ikeactors.actors.tokens import Tokens
from ikeactors.actors.unchecked import (
    Checks,
    LookUp,
    NameChecks,
    NobodyAsked,
    Unchecked,
    fetch_nothing,
)
from ikeactors.actors.workers import Workers
from ikeactors.config import Configuration
from ikeactors.crypto.pki.certificates import describe
from ikeactors.expiring import Expiration
from ikeactors.protocol.credentials import CurrentCredentials, NoCredentials

if TYPE_CHECKING:
    from ikeactors.actors.cert_lookups import CertificateLookups
    from ikeactors.actors.dnssec import NameProofs
    from ikeactors.actors.revocation import Examiner, RevocationChecks
    from ikeactors.actors.staples import Staples

_CRLS = "crls"


@dataclass(frozen=True, slots=True)
class Checking:
    """What it takes to check certificates, where the extra `certificates` is there."""

    checks: RevocationChecks
    examiner: Examiner
    staples: Staples
    lookups: CertificateLookups

    def configure(self, configuration: Configuration) -> None:
        """These lists hold, and these certificates are ours."""
        self.examiner.crls.configure(configuration.crls)
        self.staples.configure(getattr(configuration.credentials, "own", ()))


@dataclass(frozen=True, slots=True)
class Trust:
    """Outlives the actor."""

    credentials: CurrentCredentials
    checking: Checking | None
    names: NameProofs | None = None
    tokens: Tokens = field(default_factory=Tokens)

    @property
    def name_checks(self) -> NameChecks:
        """Whom associations ask about names."""
        return NobodyAsked() if self.names is None else self.names

    def keys_of(self, name: str) -> tuple[bytes, ...]:
        """The public keys of a name. Raises AuthenticationFailed."""
        return self.name_checks.keys_of(name)

    @property
    def checks(self) -> Checks:
        """Whom associations ask."""
        return Unchecked() if self.checking is None else self.checking.checks

    @property
    def look_up(self) -> LookUp:
        """Who fetches certificates for them."""
        return fetch_nothing if self.checking is None else self.checking.lookups.look_up

    def replace(self, configuration: Configuration) -> None:
        """What this configuration has loaded holds from now on."""
        self.credentials.replace(configuration.credentials)
        self.tokens.configure(configuration.tokens)
        if self.checking is not None:
            self.checking.configure(configuration)

    def staple_of(self, certificate: bytes) -> bytes:
        """What OCSP says of a certificate of ours; nothing where that is not known."""
        return b"" if self.checking is None else self.checking.staples.of(certificate)

    def children(self) -> Iterator[ChildSpecification]:
        """Its actor."""
        if self.checking is not None:
            from ikeactors.actors.revocation import run_revocation

            run = partial(run_revocation, self.checking.checks, self.checking.examiner)
            yield ChildSpecification("revocation", run)
            yield ChildSpecification("staples", self.checking.staples.run)
            yield ChildSpecification("lookups", self.checking.lookups.run)
        if self.names is not None:
            yield ChildSpecification("dnssec", self.names.run)
        if self.checking is not None:
            yield ChildSpecification("tokens", self.tokens.run)

    def expirations(self) -> tuple[Expiration, ...]:
        """When what is loaded expires."""
        if self.checking is None:
            return ()
        from ikeactors.protocol.keyring import Keyring

        current = self.credentials.current
        certificates = current.certificates() if isinstance(current, Keyring) else ()
        return tuple(
            Expiration(kind, describe(one), one.not_valid_after_utc.timestamp())
            for kind, one in certificates
        )

    def statistics(self) -> dict[str, object]:
        """What the admin socket shows of it."""
        shown: dict[str, object] = {}
        if self.checking is not None:
            shown["certificates"] = tuple(expiring.shown(self.expirations(), time.time()))
            shown["revocation"] = self.checking.checks.statistics()
            shown["crls"] = self.checking.examiner.crls.statistics()
        if self.names is not None:
            shown["dnssec"] = self.names.statistics()
        if self.tokens.is_used:
            shown["tokens"] = self.tokens.statistics()
        return shown


def open_trust(
    configuration: Configuration, lookup: Lookup, workers: Workers, hub: ReportHub
) -> Trust:
    """What the configuration has loaded; where it is all pre-shared keys there is nothing to do."""
    credentials = CurrentCredentials(configuration.credentials)
    names, tokens = _names(configuration, hub), Tokens()
    tokens.configure(configuration.tokens)
    if isinstance(configuration.credentials, NoCredentials):
        return Trust(credentials, None, names, tokens)
    return Trust(credentials, _checking(configuration, lookup, workers, hub), names, tokens)


def _names(configuration: Configuration, hub: ReportHub) -> NameProofs | None:
    """Who asks what DNSSEC proves, where a connection wants that."""
    dns = configuration.dns
    if dns is None:
        return None
    from ikeactors.actors.dnssec import NameProofs
    from ikeactors.actors.resolvers import Resolvers
    from ikeactors.actors.validation import Validator, read_anchors

    anchors = read_anchors(dns.anchors) if dns.anchors else None
    proofs = Validator(Resolvers(dns.servers).ask, anchors, time.time)
    ends = (end for one in configuration.connections for end in one.remote_rounds)
    asked = (str(end.id.identity) for end in ends if end.ipseckey)
    return NameProofs(proofs, time.time, hub, tuple(asked))


def _checking(
    configuration: Configuration, lookup: Lookup, workers: Workers, hub: ReportHub
) -> Checking:
    from ikeactors.actors.cert_lookups import CertificateLookups
    from ikeactors.actors.crl_files import CrlFiles
    from ikeactors.actors.crls import Crls
    from ikeactors.actors.fetching import Fetcher
    from ikeactors.actors.revocation import Examiner, RevocationChecks
    from ikeactors.actors.staples import Staples

    settings = configuration.daemon
    private, ldap = settings.revocation_private, settings.revocation_ldap
    fetch = Fetcher(lookup, private, directories=ldap).fetch
    crls = Crls(fetch, CrlFiles(Path(settings.state_directory) / _CRLS), time.time, hub)
    nonce = SystemEntropy().octets
    patience = settings.revocation_timeout
    examiner = Examiner(crls, fetch, workers.run, nonce, time.time, patience)
    staples = Staples(fetch, time.time, hub)
    lookups = CertificateLookups(fetch, patience)
    checking = Checking(RevocationChecks(examiner.at_once), examiner, staples, lookups)
    checking.configure(configuration)
    return checking
