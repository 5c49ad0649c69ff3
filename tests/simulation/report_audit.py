"""What holds for the reports of every host: S1, S10 and S11 of the invariants."""

from __future__ import annotations

import trio

from ikeactors.protocol.actions import Report
from tests.simulation.host import Host
from tests.simulation.injection import Injected
from tests.simulation.secrets_audit import SecretsAudit
from tests.simulation.verdict import Record

_CRASHED = "actor-crashed"
# What is said of an IKE SA whose Child SAs may not have been up here yet.
_OVER = ("ike-sa-lost", "ike-sa-closed")
# Who goes on from a checkpoint does not say again what was up.
_RESTORED = "ike-sa-restored"
# Seconds until there is another process, at most.
_LONGEST_DOWN = 60.0
# What we have made crash ourselves, and those whose steps were interrupted by that.
_EXPECTED = (
    Injected.__name__,
    "the step before was interrupted",
    "the worker died while the job ran",
)


class ReportAudit:
    """Hears every report."""

    def __init__(self, record: Record, secrets: SecretsAudit) -> None:
        self._record = record
        self._secrets = secrets
        self._up: set[tuple[int, int, str]] = set()
        self._told: dict[tuple[int, int], set[str]] = {}
        self.down_at: dict[tuple[int, str], float] = {}
        self.gone: set[tuple[int, str]] = set()

    def hear(self, host: Host, association: int, report: Report) -> None:
        """One report. A process that was killed says nothing more, whatever its last step does."""
        if host.is_down:
            return
        self._record.count(report.name)
        details = report.details
        self._secrets.told(
            f"{report.name} of host{host.number}",
            " ".join((report.text, *map(str, details.values()))),
        )
        if report.name == _CRASHED:
            self._crashed(host, association, report)
        elif report.name == _RESTORED:
            self._told[(host.number, association)] = set()
        elif report.name in _OVER:
            self.down_at[(host.number, report.connection)] = trio.current_time()
        elif report.name == "child-sa-up":
            self._went_up((host.number, association, str(details["child"])))
        elif report.name == "child-sa-down":
            self.down_at[(host.number, report.connection)] = trio.current_time()
            self.gone.add((host.number, str(details["spi_in"])))
            self._went_down((host.number, association, str(details["child"])))

    def killed(self, host: Host) -> None:
        """Its next process goes on with what was up, and does not say so again.

        That an IKE SA was over, which its peer has asked for, is said by nobody.
        """
        for peer in host.registry.census:
            if peer.association is not None and peer.association.closed:
                at = trio.current_time() + _LONGEST_DOWN
                self.down_at[(host.number, peer.connection)] = at
        self._up = {one for one in self._up if one[0] != host.number}
        self._told = {one: names for one, names in self._told.items() if one[0] != host.number}

    def _crashed(self, host: Host, association: int, report: Report) -> None:
        traceback = str(report.details["traceback"])
        if not any(word in traceback for word in _EXPECTED):
            self._record.breaks("S1", f"host{host.number}: {report.text}\n{traceback}")
        # What goes on from its checkpoint says so next.
        self._up = {one for one in self._up if one[:2] != (host.number, association)}
        self._told.pop((host.number, association), None)

    def _went_up(self, child: tuple[int, int, str]) -> None:
        if child in self._up:
            self._record.breaks("S10", f"host{child[0]}: {child[2]} goes up twice")
        self._up.add(child)
        self._is_first_word_of(child)

    def _went_down(self, child: tuple[int, int, str]) -> None:
        if not self._is_first_word_of(child) and child not in self._up:
            self._record.breaks("S10", f"host{child[0]}: {child[2]} goes down and was not up")
        self._up.discard(child)

    def _is_first_word_of(self, child: tuple[int, int, str]) -> bool:
        """Whether its association goes on from a checkpoint, and has not told of it since."""
        *association, name = child
        told = self._told.get((association[0], association[1]))
        if told is None or name in told:
            return False
        told.add(name)
        return True
