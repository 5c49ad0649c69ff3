"""The SAs of the userspace data plane: by name, inbound SPI and reqid (RFC 4301 section 4.4.2)."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ikeactors.kernel.esp import InboundSa, OutboundSa
from ikeactors.kernel.flows import Matcher
from ikeactors.kernel.requests import Direction, KernelRefusal, SaId, SaRequest
from ikeactors.protocol.events import Endpoint

# Specification (RFC 3948): ESP in UDP shares IKE's port.
NAT_T_PORT = 4500


@dataclass(slots=True, eq=False)
class Inbound:
    """An inbound SA; `remote` is where its latest packet came from, `allowed` what may be in it."""

    request: SaRequest
    sa: InboundSa
    remote: Endpoint
    last_used_at: float = 0.0
    allowed: tuple[Matcher, ...] = ()


@dataclass(slots=True, eq=False)
class Outbound:
    """An outbound SA and the ends of its UDP datagrams."""

    request: SaRequest
    sa: OutboundSa
    local: Endpoint
    remote: Endpoint
    last_used_at: float = 0.0


Entry = Inbound | Outbound


class Sad:
    """All SAs. `entropy` is what outbound ones make their IVs of."""

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy
        self._entries: dict[SaId, Entry] = {}
        self._inbound: dict[int, Inbound] = {}
        self._outbound: dict[int, list[Outbound]] = {}

    def entry(self, sa_id: SaId) -> Entry | None:
        """The SA of this name."""
        return self._entries.get(sa_id)

    def inbound(self, spi: int) -> Inbound | None:
        """The SA whose packets carry this SPI."""
        return self._inbound.get(spi)

    def newest(self, reqid: int) -> Outbound | None:
        """The outbound SA of this reqid that was added last."""
        outbound = self._outbound.get(reqid)
        return outbound[-1] if outbound else None

    def add(self, sas: Sequence[SaRequest]) -> list[Entry]:
        """Add SAs, all or none."""
        entries = [self._made(request) for request in sas]
        for request in sas:
            self._refuse_what_exists(request)
        for entry in entries:
            self._put(entry)
        return entries

    def remove(self, sas: Sequence[SaId]) -> None:
        """Remove those of the SAs that are there."""
        for sa_id in sas:
            entry = self._entries.get(sa_id)
            if entry is not None:
                self._take(entry)

    def move(self, old: Sequence[SaId], sas: Sequence[SaRequest]) -> list[Entry]:
        """Give SAs other addresses or ports; one that has been moved already stays so."""
        moved = []
        for sa_id, request in zip(old, sas, strict=True):
            entry = self._entries.get(sa_id) or self._entries.get(request.sa_id)
            if entry is None:
                raise KernelRefusal(errno.ESRCH, "an SA that is to be moved is not there")
            moved.append(entry)
        for entry, request in zip(moved, sas, strict=True):
            del self._entries[entry.request.sa_id]
            entry.request = request
            entry.remote = _remote(request)
            if isinstance(entry, Outbound):
                entry.local = _local(request)
            self._entries[request.sa_id] = entry
        return moved

    def sa_ids(self) -> frozenset[SaId]:
        """The names of all."""
        return frozenset(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def _made(self, request: SaRequest) -> Entry:
        if request.direction == Direction.IN:
            return Inbound(request, InboundSa(request), _remote(request))
        sealing = OutboundSa(request, self._entropy)
        return Outbound(request, sealing, _local(request), _remote(request))

    def _refuse_what_exists(self, request: SaRequest) -> None:
        is_inbound = request.direction == Direction.IN
        if request.sa_id in self._entries or (is_inbound and request.spi in self._inbound):
            text = f"an SA with the SPI {request.spi:#010x} exists already"
            raise KernelRefusal(errno.EEXIST, text)

    def _put(self, entry: Entry) -> None:
        request = entry.request
        self._entries[request.sa_id] = entry
        if isinstance(entry, Inbound):
            self._inbound[request.spi] = entry
        else:
            self._outbound.setdefault(request.reqid, []).append(entry)

    def _take(self, entry: Entry) -> None:
        request = entry.request
        del self._entries[request.sa_id]
        if isinstance(entry, Inbound):
            del self._inbound[request.spi]
            return
        outbound = self._outbound[request.reqid]
        outbound.remove(entry)
        if not outbound:
            del self._outbound[request.reqid]


def _local(request: SaRequest) -> Endpoint:
    """Our end of an outbound SA."""
    encapsulation = request.encapsulation
    return Endpoint(request.source, encapsulation.source_port if encapsulation else NAT_T_PORT)


def _remote(request: SaRequest) -> Endpoint:
    """The peer's end of an SA: encapsulated always, because a host without ESP lets none in."""
    encapsulation = request.encapsulation
    if request.direction == Direction.IN:
        port = encapsulation.source_port if encapsulation else NAT_T_PORT
        return Endpoint(request.source, port)
    port = encapsulation.destination_port if encapsulation else NAT_T_PORT
    return Endpoint(request.destination, port)
