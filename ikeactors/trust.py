"""Whom the daemon believes: its keys and authorities, and who finds out what is revoked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from ikeactors import expiring
from ikeactors.actors.entropy import SystemEntropy
from ikeactors.actors.names import Lookup
from ikeactors.actors.reports import ReportHub
from ikeactors.actors.supervisor import ChildSpecification
from ikeactors.actors.tokens import Tokens
from ikeactors.actors.unchecked import (
    Answer,
    Checks,
    Fetched,
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


class Trust:
    """Outlives the actor. What it takes to check certificates is made when there are the first."""

    def __init__(
        self,
        configuration: Configuration,
        make: Callable[[Configuration], Checking],
        names: NameProofs | None,
        tokens: Tokens,
        wall_clock: Callable[[], float],
    ) -> None:
        self.credentials = CurrentCredentials(configuration.credentials)
        self.names = names
        self.tokens = tokens
        self.checking: Checking | None = None
        self._make = make
        self._wall_clock = wall_clock
        self._begun = trio.Event()
        self._begin(configuration)

    @property
    def name_checks(self) -> NameChecks:
        """Whom associations ask about names."""
        return NobodyAsked() if self.names is None else self.names

    def keys_of(self, name: str) -> tuple[bytes, ...]:
        """The public keys of a name. Raises AuthenticationFailed."""
        return self.name_checks.keys_of(name)

    def check(
        self, chain: tuple[bytes, ...], answer: Answer, answers: tuple[bytes, ...] = ()
    ) -> None:
        """Find out for an association whether certificates are revoked."""
        checks: Checks = Unchecked() if self.checking is None else self.checking.checks
        checks.check(chain, answer, answers)

    def look_up(self, names: tuple[tuple[bytes, str], ...], answer: Fetched) -> None:
        """Fetch certificates for an association."""
        look_up = fetch_nothing if self.checking is None else self.checking.lookups.look_up
        look_up(names, answer)

    def replace(self, configuration: Configuration) -> None:
        """What this configuration has loaded holds from now on."""
        self.credentials.replace(configuration.credentials)
        self.tokens.configure(configuration.tokens)
        if self.checking is None:
            self._begin(configuration)
        else:
            self.checking.configure(configuration)

    def _begin(self, configuration: Configuration) -> None:
        if isinstance(configuration.credentials, NoCredentials):
            return
        self.checking = self._make(configuration)
        self._begun.set()

    def staple_of(self, certificate: bytes) -> bytes:
        """What OCSP says of a certificate of ours; nothing where that is not known."""
        return b"" if self.checking is None else self.checking.staples.of(certificate)

    def children(self) -> Iterator[ChildSpecification]:
        """Its actors; where there are no certificates yet they wait for these."""
        yield ChildSpecification("revocation", self._run_revocation)
        yield ChildSpecification("staples", self._run_staples)
        yield ChildSpecification("lookups", self._run_lookups)
        yield ChildSpecification("tokens", self._run_tokens)
        if self.names is not None:
            yield ChildSpecification("dnssec", self.names.run)

    async def _begun_checking(self) -> Checking:
        await self._begun.wait()
        assert self.checking is not None
        return self.checking

    async def _run_revocation(self) -> None:
        checking = await self._begun_checking()
        from ikeactors.actors.revocation import run_revocation

        await run_revocation(checking.checks, checking.examiner)

    async def _run_staples(self) -> None:
        await (await self._begun_checking()).staples.run()

    async def _run_lookups(self) -> None:
        await (await self._begun_checking()).lookups.run()

    async def _run_tokens(self) -> None:
        await self._begun_checking()
        await self.tokens.run()

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
            shown["certificates"] = tuple(expiring.shown(self.expirations(), self._wall_clock()))
            shown["revocation"] = self.checking.checks.statistics()
            shown["crls"] = self.checking.examiner.crls.statistics()
        if self.names is not None:
            shown["dnssec"] = self.names.statistics()
        if self.tokens.is_used:
            shown["tokens"] = self.tokens.statistics()
        return shown


def open_trust(
    configuration: Configuration,
    lookup: Lookup,
    workers: Workers,
    hub: ReportHub,
    wall_clock: Callable[[], float] = time.time,
) -> Trust:
    """What the configuration has loaded."""
    make = partial(_checking, lookup=lookup, workers=workers, hub=hub, wall_clock=wall_clock)
    names, tokens = _names(configuration, hub, wall_clock), Tokens()
    tokens.configure(configuration.tokens)
    return Trust(configuration, make, names, tokens, wall_clock)


def _names(
    configuration: Configuration, hub: ReportHub, wall_clock: Callable[[], float]
) -> NameProofs | None:
    """Who asks what DNSSEC proves, where a connection wants that."""
    dns = configuration.dns
    if dns is None:
        return None
    from ikeactors.actors.dnssec import NameProofs
    from ikeactors.actors.resolvers import Resolvers
    from ikeactors.actors.validation import Validator, read_anchors

    anchors = read_anchors(dns.anchors) if dns.anchors else None
    proofs = Validator(Resolvers(dns.servers).ask, anchors, wall_clock)
    ends = (end for one in configuration.connections for end in one.remote_rounds)
    asked = (str(end.id.identity) for end in ends if end.ipseckey)
    return NameProofs(proofs, wall_clock, hub, tuple(asked))


def _checking(
    configuration: Configuration,
    *,
    lookup: Lookup,
    workers: Workers,
    hub: ReportHub,
    wall_clock: Callable[[], float],
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
    crls = Crls(fetch, CrlFiles(Path(settings.state_directory) / _CRLS), wall_clock, hub)
    nonce = SystemEntropy().octets
    patience = settings.revocation_timeout
    examiner = Examiner(crls, fetch, workers.run, nonce, wall_clock, patience)
    staples = Staples(fetch, wall_clock, hub)
    lookups = CertificateLookups(fetch, patience)
    checking = Checking(RevocationChecks(examiner.at_once), examiner, staples, lookups)
    checking.configure(configuration)
    return checking
