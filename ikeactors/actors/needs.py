"""What a configuration needs of the kernel's IPsec, and what of it the running kernel lacks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol

from ikeactors.crypto.suite import ChildSuite
from ikeactors.errors import NoProposalChosen
from ikeactors.iana import ProtocolId, TransformType
from ikeactors.kernel.compression import with_compression
from ikeactors.kernel.requests import (
    Direction,
    Encapsulation,
    KernelRefusal,
    Mode,
    SaRequest,
)
from ikeactors.kernel.xfrm_refusals import reason_of
from ikeactors.protocol.settings import ChildSettings, ConnectionSettings
from ikeactors.wire.proposals import Proposal

Entropy = Callable[[int], bytes]

# Nothing is ever sent to or from these: the loopback network, and the prefix that discards (RFC
# 6666).
_ENDS = {
    version: (ip_address(source), ip_address(destination))
    for version, source, destination in ((4, "127.0.20.1", "127.0.20.2"), (6, "100::1", "100::2"))
}
_SMALLEST_SPI = 0x100
_PORTS = Encapsulation(4500, 4500)

# Ours: transforms that are alternatives multiply, and each product is a question to the kernel.
_MAX_SUITES_OF_A_CHILD = 512


class Kernel(Protocol):
    """What can be asked whether it would take an SA."""

    def try_sa(self, request: SaRequest) -> None: ...


@dataclass(frozen=True, slots=True)
class Need:
    """An SA of this kind; in UDP it is for who is behind a NAT."""

    suite: ChildSuite
    mode: Mode
    version: int
    replay_window: int
    in_udp: bool
    compressed: bool = False

    def __str__(self) -> str:
        if self.compressed:
            return f"compression in {self.mode.value} mode over IPv{self.version}"
        over = f"{'UDP and ' if self.in_udp else ''}IPv{self.version}"
        return f"{self.suite} in {self.mode.value} mode over {over}"

    def sa(self, entropy: Entropy) -> SaRequest:
        """An SA to try it with."""
        request = SaRequest(
            spi=int.from_bytes(entropy(4), "big") | _SMALLEST_SPI,
            protocol=self.suite.protocol,
            direction=Direction.IN,
            source=_ENDS[self.version][0],
            destination=_ENDS[self.version][1],
            mode=self.mode,
            reqid=0,
            suite=self.suite,
            encr_key=entropy(self.suite.encr_key_octets),
            integ_key=entropy(self.suite.integ_key_octets),
            replay_window=self.replay_window,
            encapsulation=_PORTS if self.in_udp else None,
            cpi=_SMALLEST_SPI if self.compressed else 0,
        )
        return with_compression(request)[0]


@dataclass(frozen=True, slots=True)
class Lack:
    """What the kernel does not do, why, and which children would do without."""

    reason: str
    what: tuple[str, ...]
    needed_by: tuple[str, ...]


def lacks(
    kernel: Kernel, connections: Sequence[ConnectionSettings], entropy: Entropy
) -> list[Lack]:
    """What is missing, one for each reason the kernel gives."""
    found: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for need, places in needs(connections).items():
        request = need.sa(entropy)
        try:
            kernel.try_sa(request)
        except KernelRefusal as refusal:
            reason = reason_of(refusal.errno, request)
            what, needed_by = found.setdefault(reason, ({}, {}))
            what[str(need)] = None
            needed_by |= dict.fromkeys(places)
    return [Lack(reason, tuple(what), tuple(places)) for reason, (what, places) in found.items()]


def needs(connections: Iterable[ConnectionSettings]) -> dict[Need, dict[str, None]]:
    """All kinds of SAs that may be negotiated, and for which children, each once."""
    found: dict[Need, dict[str, None]] = {}
    for connection in connections:
        for child in connection.children:
            place = f"connections.{connection.name}.children.{child.name}"
            for need in _needs_of(connection, child):
                found.setdefault(need, {})[place] = None
    return found


def _needs_of(connection: ConnectionSettings, child: ChildSettings) -> Iterator[Need]:
    suites = itertools.chain.from_iterable(map(_suites, child.proposals))
    for suite in itertools.islice(suites, _MAX_SUITES_OF_A_CHILD):
        for version in _versions(connection):
            if child.ipcomp:
                yield Need(suite, child.mode, version, 0, in_udp=False, compressed=True)
            may_be_in_udp = suite.protocol == ProtocolId.ESP
            if not connection.encap:
                yield Need(suite, child.mode, version, child.replay_window, in_udp=False)
            if may_be_in_udp:
                yield Need(suite, child.mode, version, child.replay_window, in_udp=True)


def _suites(template: Proposal) -> Iterator[ChildSuite]:
    """Every suite that a template allows, without the key exchange: that is not the kernel's."""
    kinds = (TransformType.ENCR, TransformType.INTEG, TransformType.ESN)
    alternatives = [template.of_type(kind) for kind in kinds]
    for chosen in itertools.product(*filter(None, alternatives)):
        try:
            yield ChildSuite.from_proposal(Proposal(1, template.protocol, b"", chosen))
        except NoProposalChosen:
            continue


def _versions(connection: ConnectionSettings) -> list[int]:
    """The families of IP that the ends may have."""
    families: list[set[int]] = [
        {pattern.first.version for pattern in patterns} or {4, 6}
        for patterns in (connection.local_addrs, connection.remote_addrs)
    ]
    return sorted(families[0] & families[1])
