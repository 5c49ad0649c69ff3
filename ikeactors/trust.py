"""Whom the daemon believes: its keys and authorities, and who finds out what is revoked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ikeactors.actors.entropy import SystemEntropy
from ikeactors.actors.names import Lookup
from ikeactors.actors.reports import ReportHub
from ikeactors.actors.supervisor import ChildSpecification
from ikeactors.actors.unchecked import Checks, Unchecked
from ikeactors.actors.workers import Workers
from ikeactors.config import Configuration
from ikeactors.protocol.credentials import CurrentCredentials, NoCredentials

if TYPE_CHECKING:
    from ikeactors.actors.revocation import Examiner, RevocationChecks

_CRLS = "crls"


@dataclass(frozen=True, slots=True)
class Checking:
    """What it takes to check certificates, where the extra `certificates` is there."""

    checks: RevocationChecks
    examiner: Examiner


@dataclass(frozen=True, slots=True)
class Trust:
    """Outlives the actor."""

    credentials: CurrentCredentials
    checking: Checking | None

    @property
    def checks(self) -> Checks:
        """Whom associations ask."""
        return Unchecked() if self.checking is None else self.checking.checks

    def replace(self, configuration: Configuration) -> None:
        """What this configuration has loaded holds from now on."""
        self.credentials.replace(configuration.credentials)
        if self.checking is not None:
            self.checking.examiner.crls.configure(configuration.crls)

    def children(self) -> Iterator[ChildSpecification]:
        """Its actor."""
        if self.checking is not None:
            from ikeactors.actors.revocation import run_revocation

            run = partial(run_revocation, self.checking.checks, self.checking.examiner)
            yield ChildSpecification("revocation", run)

    def statistics(self) -> dict[str, object]:
        """What the admin socket shows of it."""
        if self.checking is None:
            return {}
        return {
            "revocation": self.checking.checks.statistics(),
            "crls": self.checking.examiner.crls.statistics(),
        }


def open_trust(
    configuration: Configuration, lookup: Lookup, workers: Workers, hub: ReportHub
) -> Trust:
    """What the configuration has loaded; where it is all pre-shared keys there is nothing to do."""
    credentials = CurrentCredentials(configuration.credentials)
    if isinstance(configuration.credentials, NoCredentials):
        return Trust(credentials, None)
    return Trust(credentials, _checking(configuration, lookup, workers, hub))


def _checking(
    configuration: Configuration, lookup: Lookup, workers: Workers, hub: ReportHub
) -> Checking:
    from ikeactors.actors.crl_files import CrlFiles
    from ikeactors.actors.crls import Crls
    from ikeactors.actors.fetching import Fetcher
    from ikeactors.actors.revocation import Examiner, RevocationChecks

    settings = configuration.daemon
    fetch = Fetcher(lookup, settings.revocation_private).fetch
    crls = Crls(fetch, CrlFiles(Path(settings.state_directory) / _CRLS), time.time, hub)
    crls.configure(configuration.crls)
    nonce = SystemEntropy().octets
    patience = settings.revocation_timeout
    examiner = Examiner(crls, fetch, workers.run, nonce, time.time, patience)
    return Checking(RevocationChecks(examiner.at_once), examiner)
