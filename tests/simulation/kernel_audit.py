"""What holds at each change of a kernel: S4 of the invariants, and that no SA is used by two."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

import trio

from ikeactors.kernel.requests import Direction, SaRequest
from ikeactors.protocol.events import Address
from ikeactors.protocol.ikev2.association import Association
from tests.simulation.host import Host
from tests.simulation.report_audit import ReportAudit
from tests.simulation.secrets_audit import SecretsAudit
from tests.simulation.verdict import Record

# What has gone down is out of the kernel within this time.
_DOWN_SECONDS = 10.0


class KernelAudit:
    """Watches the SAs of all hosts."""

    def __init__(
        self,
        hosts: Mapping[Address, Host],
        reports: ReportAudit,
        record: Record,
        secrets: SecretsAudit,
    ) -> None:
        """`hosts` by all addresses under which they are known, NATs' included."""
        self._hosts = hosts
        self._secrets = secrets
        self._reports = reports
        self._record = record
        self._inbound: set[tuple[int, int]] = set()
        self._keys: dict[tuple[bytes, bytes], tuple[int, frozenset[int]]] = {}
        self._excused: set[int] = set()
        for host in {host.number: host for host in hosts.values()}.values():
            host.kernel.watch = partial(self._changed, host)

    def excuse(self, host: Host) -> None:
        """What is missing at this host from now on, a fault has taken away."""
        self._excused.add(host.number)

    def _changed(self, host: Host, change: str, sas: Sequence[SaRequest]) -> None:
        for sa in sas:
            self._record.note(f"host{host.number} {change} {sa.direction.name} {sa.spi:08x}")
            self._record.show(f"host{host.number} {change} {sa.direction.name} {sa.spi:08x}")
            if change == "install":
                self._secrets.keyed((sa.encr_key, sa.integ_key))
                self._check_key(host, sa)
                self._check_proof(host, sa)
            if change == "install" and sa.direction is Direction.IN:
                self._inbound.add((host.number, sa.spi))
            elif change == "install":
                self._check_receiver(host, sa)
            elif change == "remove" and sa.direction is Direction.IN:
                self._check_sender(host, sa)

    def _has_said_so(self, host: Host, peer: Host) -> bool:
        down_at = self._reports.down_at
        link = f"link{max(host.number, peer.number)}"
        return trio.current_time() - down_at.get((host.number, link), -math.inf) < _DOWN_SECONDS

    def _check_key(self, host: Host, sa: SaRequest) -> None:
        """S5: a key is of one SA: the sender's end of it and the receiver's."""
        spi, users = self._keys.get((sa.encr_key, sa.integ_key), (sa.spi, frozenset()))
        if spi != sa.spi or len(users | {host.number}) > 2:
            self._record.breaks("S5", f"host{host.number}: SA {sa.spi:08x} has the key of another")
        self._keys[(sa.encr_key, sa.integ_key)] = spi, users | {host.number}

    def _check_proof(self, host: Host, sa: SaRequest) -> None:
        """S12: nothing is installed for a peer that has not proven who it is."""
        for peer in host.registry.census:
            one = peer.association
            if not isinstance(one, Association) or one.established or one.closed:
                continue
            if any(sa.spi in (child.spi_in, child.spi_out) for child in one.children):
                self._record.breaks("S12", f"host{host.number}: {sa.spi:08x} is of a stranger")

    def _check_receiver(self, host: Host, sa: SaRequest) -> None:
        """Who sends by another SA than before must know that the peer receives by it."""
        peer = self._hosts[sa.destination]
        if host.number in self._excused or (peer.number, sa.spi) in self._inbound:
            return
        others = [
            one
            for one in host.kernel.sas.values()
            if one.direction is Direction.OUT and one.reqid == sa.reqid and one.spi != sa.spi
        ]
        if others:
            self._record.breaks(
                "S4", f"host{host.number} sends by {sa.spi:08x}, host{peer.number} never received"
            )

    def _check_sender(self, host: Host, sa: SaRequest) -> None:
        """Who stops receiving by an SA must know that the peer sends by another, or say so."""
        peer = self._hosts[sa.source]
        if host.number in self._excused or self._has_said_so(host, peer):
            return
        if (host.number, f"{sa.spi:08x}") in self._reports.gone:
            # However slow the host is: that this very one is down was said.
            return
        outbound = [
            one
            for one in peer.kernel.sas.values()
            if one.direction is Direction.OUT and one.spi == sa.spi
        ]
        for one in outbound:
            newest = peer.kernel.newest_outbound(one.reqid, one.destination)
            if newest is one:
                self._record.breaks(
                    "S4",
                    f"host{host.number} receives by {sa.spi:08x} no more, but"
                    f" host{peer.number} sends by it",
                )
