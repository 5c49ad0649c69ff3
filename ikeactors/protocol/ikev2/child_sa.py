"""A Child SA: the pair of SAs in the data plane and what holds for both (RFC 7296 section 2.9)."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import replace

from ikeactors.crypto.keys import ChildKeys
from ikeactors.crypto.suite import ChildSuite
from ikeactors.iana import ProtocolId
from ikeactors.kernel.compression import names_of, with_compression
from ikeactors.kernel.requests import (
    Direction,
    Encapsulation,
    Lifetime,
    Mode,
    PolicyAction,
    PolicyRequest,
    SaId,
    SaRequest,
)
from ikeactors.protocol.choosing import Selectors
from ikeactors.protocol.events import Address, Endpoint
from ikeactors.protocol.settings import ChildSettings, ConnectionSettings
from ikeactors.protocol.snapshot import ChildSnapshot
from ikeactors.quick import quick


class ChildState(enum.Enum):
    """Where a Child SA stands.

    REKEYED waits for the Delete of the peer that has replaced it, REDUNDANT for that of the peer
    that has lost a collision (RFC 7296 section 2.8.1).
    """

    INSTALLING = "installing"
    INSTALLED = "installed"
    REKEYING = "rekeying"
    REKEYED = "rekeyed"
    REDUNDANT = "redundant"
    DELETING = "deleting"
    RETIRED = "retired"


@quick
class Path:
    """Where the packets of the SAs go: the outer addresses, and the ports when UDP carries them."""

    local: Endpoint
    remote: Endpoint
    encapsulated: bool

    def encapsulation(self, direction: Direction) -> Encapsulation | None:
        """The ports of the outer UDP header in this direction."""
        if not self.encapsulated:
            return None
        if direction is Direction.OUT:
            return Encapsulation(self.local.port, self.remote.port)
        return Encapsulation(self.remote.port, self.local.port)


@quick
class Agreement:
    """What two ends have agreed on for a Child SA.

    `pads` is whether the peer takes TFC padding (RFC 7296 section 1.3.1). `cpis` are by what we and
    the peer receive what is compressed, 0 where nothing is.
    """

    suite: ChildSuite
    mode: Mode
    local_ts: Selectors
    remote_ts: Selectors
    spi_in: int
    spi_out: int
    pads: bool = True
    cpis: tuple[int, int] = (0, 0)

    def __str__(self) -> str:
        local, remote = ", ".join(map(str, self.local_ts)), ", ".join(map(str, self.remote_ts))
        return f"{local} === {remote}, {self.suite}"

    def is_alike(self, other: Agreement) -> bool:
        """Whether both are for the same traffic."""
        return self._traffic == other._traffic

    @property
    def _traffic(self) -> tuple[int, Mode, Selectors, Selectors]:
        return self.suite.protocol, self.mode, self.local_ts, self.remote_ts


class ChildSa:
    """One Child SA. Its number is unique within the association.

    `is_ours` says that we asked for it, `unwanted` that it is to end with all that comes in its
    place, and `successor` is the one that sends when this one is deleted.
    """

    __slots__ = (
        "agreement",
        "created_at",
        "delete_sent",
        "inbound",
        "inbound_installed",
        "is_ours",
        "number",
        "outbound",
        "outbound_installed",
        "policies",
        "reqid",
        "settings",
        "state",
        "successor",
        "unwanted",
    )

    def __init__(
        self,
        number: int,
        settings: ChildSettings,
        agreement: Agreement,
        sas: tuple[SaRequest, SaRequest],
        policies: tuple[PolicyRequest, ...],
        created_at: float,
    ) -> None:
        self.number = number
        self.settings = settings
        self.agreement = agreement
        self.inbound, self.outbound = sas
        self.policies = policies
        self.reqid = self.inbound.reqid
        self.created_at = created_at
        self.state = ChildState.INSTALLING
        self.inbound_installed = False
        self.outbound_installed = False
        self.delete_sent = False
        self.is_ours = False
        self.unwanted = False
        self.successor: ChildSa | None = None

    @property
    def name(self) -> str:
        """The name of the child in the configuration."""
        return self.settings.name

    @property
    def spi_in(self) -> int:
        """The SPI we chose: inbound packets carry it."""
        return self.agreement.spi_in

    @property
    def spi_out(self) -> int:
        """The SPI the peer chose: outbound packets carry it."""
        return self.agreement.spi_out

    @property
    def is_up(self) -> bool:
        """Whether it carries traffic and is to go on doing so."""
        return self.state in (ChildState.INSTALLED, ChildState.REKEYING)

    @property
    def is_going(self) -> bool:
        """Whether one of the two ends has deleted it."""
        return self.state in (ChildState.DELETING, ChildState.RETIRED)

    @property
    def receiving(self) -> tuple[SaRequest, ...]:
        """What the data plane receives by."""
        return with_compression(self.inbound)

    @property
    def sending(self) -> tuple[SaRequest, ...]:
        """What the data plane sends by."""
        return with_compression(self.outbound)

    @property
    def installed(self) -> tuple[SaRequest, ...]:
        """What the data plane has of it."""
        if not self.inbound_installed:
            return ()
        return (*self.receiving, *self.sending) if self.outbound_installed else self.receiving

    @property
    def installed_sas(self) -> tuple[SaId, ...]:
        """The names of what the data plane has of it."""
        return names_of(self.installed)

    @property
    def installed_policies(self) -> tuple[PolicyRequest, ...]:
        """The policies it has a claim on: they come and go with the inbound SA."""
        return self.policies if self.inbound_installed else ()

    def refused(self) -> None:
        """The data plane has nothing of it."""
        self.inbound_installed = self.outbound_installed = False

    def is_between(self, path: Path) -> bool:
        """Whether its ends have the addresses of this path."""
        here, there = path.local.address, path.remote.address
        return (self.inbound.source, self.inbound.destination) == (there, here)

    def is_on(self, path: Path) -> bool:
        """Whether its packets take this path."""
        encapsulation = path.encapsulation(Direction.IN)
        return self.is_between(path) and self.inbound.encapsulation == encapsulation

    def moved(self, connection: ConnectionSettings, path: Path) -> None:
        """The same SAs and policies on another path."""
        self.inbound = replace(
            self.inbound,
            source=path.remote.address,
            destination=path.local.address,
            encapsulation=path.encapsulation(Direction.IN),
        )
        self.outbound = replace(
            self.outbound,
            source=path.local.address,
            destination=path.remote.address,
            encapsulation=path.encapsulation(Direction.OUT),
        )
        self.policies = policies_of(connection, self.settings, self.agreement, path, self.reqid)

    def snapshot(self, now: float, rekey_at: float) -> ChildSnapshot:
        """What it looks like from outside."""
        return ChildSnapshot(
            name=self.name,
            state=self.state.value,
            number=self.number,
            mode=self.agreement.mode.value,
            protocol=self.agreement.suite.protocol.name,
            spi_in=self.spi_in,
            spi_out=self.spi_out,
            suite=str(self.agreement.suite),
            local_ts=tuple(str(one) for one in self.agreement.local_ts),
            remote_ts=tuple(str(one) for one in self.agreement.remote_ts),
            reqid=self.reqid,
            encapsulated=self.inbound.encapsulation is not None,
            age=now - self.created_at,
            rekey_in=rekey_at - now if rekey_at != float("inf") else None,
            sa_ids=self.installed_sas,
        )


def sas_of(
    connection: ConnectionSettings,
    settings: ChildSettings,
    agreement: Agreement,
    keys: ChildKeys,
    exchange_initiator: bool,
    path: Path,
    reqid: int,
    spread: float,
) -> tuple[SaRequest, SaRequest]:
    """The inbound and the outbound SA; `spread` from 0 to 1 moves the soft limits apart."""
    out_keys, in_keys = (keys.encr_i, keys.integ_i), (keys.encr_r, keys.integ_r)
    if not exchange_initiator:
        out_keys, in_keys = in_keys, out_keys
    here, there, suite = path.local.address, path.remote.address, agreement.suite
    common = (agreement.mode, reqid, suite)
    lifetime = lifetime_of(settings, spread)
    is_transport = agreement.mode is Mode.TRANSPORT
    local, remote = agreement.local_ts[0], agreement.remote_ts[0]
    inbound = SaRequest(
        *(agreement.spi_in, suite.protocol, Direction.IN, there, here, *common, *in_keys),
        replay_window=settings.replay_window,
        encapsulation=path.encapsulation(Direction.IN),
        # Without it packets are marked when they are out of the SA, or by the operator before.
        mark=settings.mark_in if settings.mark_in_sa else None,
        output_mark=settings.set_mark_in,
        if_id=settings.if_id_in or connection.if_id_in,
        lifetime=lifetime,
        selectors=(remote, local) if is_transport else None,
        copying=settings.copying,
        offload=settings.hw_offload,
        cpi=agreement.cpis[0],
    )
    outbound = SaRequest(
        *(agreement.spi_out, suite.protocol, Direction.OUT, here, there, *common, *out_keys),
        replay_window=settings.replay_window,
        encapsulation=path.encapsulation(Direction.OUT),
        mark=settings.mark_out,
        output_mark=settings.set_mark_out,
        if_id=settings.if_id_out or connection.if_id_out,
        lifetime=lifetime,
        selectors=(local, remote) if is_transport else None,
        copying=settings.copying,
        tfc_padding=settings.tfc_padding if agreement.pads else 0,
        offload=settings.hw_offload,
        cpi=agreement.cpis[1],
    )
    return inbound, outbound


def lifetime_of(settings: ChildSettings, spread: float) -> Lifetime:
    """The data plane's limits: soft ones for octets and packets, hard ones for all.

    Rekeying by time is our own timer's; the data plane's hard limit stands behind it.
    """
    return Lifetime(
        hard_seconds=int(settings.life_time),
        soft_bytes=_soft(settings.rekey_bytes, settings.rand_bytes, spread),
        hard_bytes=settings.life_bytes,
        soft_packets=_soft(settings.rekey_packets, settings.rand_packets, spread),
        hard_packets=settings.life_packets,
    )


def _soft(limit: int, rand: int, spread: float) -> int:
    if not limit:
        return 0
    return max(1, limit - int(rand * spread))


def policies_of(
    connection: ConnectionSettings,
    settings: ChildSettings,
    agreement: Agreement,
    path: Path,
    reqid: int,
) -> tuple[PolicyRequest, ...]:
    """The policies in, fwd and out for every pair of selectors of one address family."""
    if not settings.policies:
        return ()
    ends = path.local.address, path.remote.address
    covered = Covered(
        agreement.suite.protocol,
        agreement.mode,
        agreement.local_ts,
        agreement.remote_ts,
        compressed=agreement.cpis[0] > 0,
    )
    return tuple(policies_between(ends, connection, settings, covered, reqid))


@quick
class Covered:
    """What policies are about: how it is protected, and what."""

    protocol: ProtocolId
    mode: Mode
    local_ts: Selectors
    remote_ts: Selectors
    compressed: bool = False


def policies_between(
    ends: tuple[Address, Address],
    connection: ConnectionSettings,
    settings: ChildSettings,
    covered: Covered,
    reqid: int,
) -> Iterator[PolicyRequest]:
    """The same between two addresses, ours and the peer's."""
    here, there = ends
    if_id_in = settings.if_id_in or connection.if_id_in
    if_id_out = settings.if_id_out or connection.if_id_out
    common = (covered.protocol, covered.mode, reqid, PolicyAction.PROTECT)
    last = (settings.priority, False, covered.compressed)
    outbound = (here, there, *common, settings.mark_out, if_id_out, *last)
    inbound = (there, here, *common, settings.mark_in, if_id_in, *last)
    for local in covered.local_ts:
        for remote in covered.remote_ts:
            if local.start.version != remote.start.version:
                continue
            yield PolicyRequest(Direction.OUT, local, remote, *outbound, blocks=settings.blocks)
            yield PolicyRequest(Direction.IN, remote, local, *inbound)
            if covered.mode is Mode.TUNNEL:
                yield PolicyRequest(Direction.FWD, remote, local, *inbound)
            if covered.mode is Mode.TUNNEL and settings.policies_fwd_out:
                # What has passed a FWD policy of ours is protected by the OUT policy behind it.
                passing = PolicyRequest(Direction.FWD, local, remote, *outbound)
                yield replace(passing, action=PolicyAction.PASS)
