"""The userspace data plane: packets between a TUN device and ESP in UDP. Nothing here waits.

The state of all its SAs and policies is here; `backend` is the kernel actor's side of it.
"""

# Deviation: the outer header's DSCP and ECN are neither set nor read (RFC 4301 section 5.1.2),
# because a UDP socket's are those of all its datagrams.

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ikeactors.actors.backends import Acquired, EventQueue
from ikeactors.actors.userspace.held import Held
from ikeactors.actors.userspace.sad import Entry, Inbound, Sad
from ikeactors.errors import Fault, IntegrityFailed, InvalidSyntax
from ikeactors.kernel.esp import (
    IPV4_IN_IP,
    IPV6_IN_IP,
    NO_NEXT_HEADER,
    Expiry,
    SaOver,
    SequenceExhausted,
)
from ikeactors.kernel.flows import Flow, Matcher, flow_of, selectors_of
from ikeactors.kernel.inventory import Inventory
from ikeactors.kernel.policies import Spd, key_of
from ikeactors.kernel.replay import Replayed
from ikeactors.kernel.requests import (
    Direction,
    PolicyAction,
    PolicyRequest,
    SaId,
    SaRequest,
    SaUsage,
)
from ikeactors.protocol.events import Endpoint, SaExpired, SaMappingChanged, Trigger

Send = Callable[[bytes, Endpoint, Endpoint], None]
Write = Callable[[bytes], bool]

# Ours: soft and hard for each SA, and room for as many of those that are gone.
_EXPIRIES_PER_SA = 4
_SPARE_EXPIRIES = 64


@dataclass(frozen=True, slots=True)
class PlaneStatistics:
    """Packets carried, and by reason those dropped, since the daemon started."""

    sas: int
    policies: int
    sealed: int
    opened: int
    drops: Mapping[str, int]


class Plane:
    """Seals what the TUN device gives and opens what the socket gives.

    `send` gives ESP to the socket of the NAT-T port, `write` gives a packet to the TUN device and
    says whether that took it. `monotonic` is the clock of lifetimes, `wall` that of usage.
    """

    def __init__(
        self,
        send: Send,
        write: Write,
        entropy: Callable[[int], bytes],
        monotonic: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self.events = EventQueue()
        self._sad = Sad(entropy)
        self._spd = Spd()
        self._send = send
        self._write = write
        self._monotonic = monotonic
        self._wall = wall
        self._held = Held()
        self._expiries: list[tuple[float, int, Entry, bool]] = []
        self._expiries_made = 0
        self._sealed = 0
        self._opened = 0
        self._drops: Counter[str] = Counter()

    def transmit(self, packet: bytes) -> None:
        """Seal a packet from the TUN device and send it (RFC 4301 section 5.1)."""
        flow = flow_of(packet)
        if flow is None:
            return self._drop("not-ip")
        policy = self._spd.outbound(flow)
        if policy is None:
            return self._drop("no-policy")
        if policy.action is not PolicyAction.PROTECT:
            return self._drop("policy")
        entry = self._sad.newest(policy.reqid)
        if entry is None:
            return self._hold(policy, flow, packet) if policy.on_demand else self._drop("no-sa")
        try:
            sealed = entry.sa.seal(packet)
        except Fault as fault:
            self._drop(_REASONS[type(fault)])
            return self._expire(entry, hard=True)
        self._sealed += 1
        self._note_use(entry)
        return self._send(sealed, entry.local, entry.remote)

    def receive(self, octets: bytes, local: Endpoint, remote: Endpoint) -> None:
        """Open ESP from the socket and give what is in it to the host (RFC 4301 section 5.2)."""
        entry = self._sad.inbound(int.from_bytes(octets[:4], "big"))
        if entry is None:
            return self._drop("unknown-spi")
        highest = entry.sa.highest
        try:
            next_header, inner = entry.sa.open(octets)
        except Fault as fault:
            return self._drop(_REASONS[type(fault)])

        # Authenticated: from here on we may change.
        self._note_use(entry)
        if remote != entry.remote and entry.sa.highest > highest:
            entry.remote = remote
            self.events.post(SaMappingChanged(entry.request.sa_id, remote))
        return self._deliver(entry, next_header, inner)

    def install(self, sas: Sequence[SaRequest], policies: Sequence[PolicyRequest]) -> None:
        """Add SAs and policies, all or nothing."""
        entries = self._sad.add(sas)
        self._spd.install(policies)
        for entry in entries:
            self._schedule(entry)
            if isinstance(entry, Inbound):
                entry.allowed = _allowed(entry, policies)
        if entries and len(self._held):
            self._release(policies)

    def remove(self, sas: Sequence[SaId], policies: Sequence[PolicyRequest]) -> None:
        """Remove SAs and policies; what is gone already is no error."""
        self._sad.remove(sas)
        self._spd.remove(policies)

    def move(
        self,
        old: Sequence[SaId],
        sas: Sequence[SaRequest],
        old_policies: Sequence[PolicyRequest],
        policies: Sequence[PolicyRequest],
    ) -> None:
        """Give SAs other addresses or ports, keeping their counters and windows."""
        moved = self._sad.move(old, sas)
        self._spd.remove(old_policies)
        self._spd.install(policies)
        for entry in moved:
            if isinstance(entry, Inbound) and policies:
                entry.allowed = _allowed(entry, policies)

    def usage(self, sa_ids: Sequence[SaId]) -> list[SaUsage]:
        """What went through those of the SAs that are there."""
        entries = [(sa_id, self._sad.entry(sa_id)) for sa_id in sa_ids]
        return [
            SaUsage(sa_id, entry.sa.usage.octets, entry.sa.usage.packets, entry.last_used_at)
            for sa_id, entry in entries
            if entry is not None
        ]

    def inventory(self) -> Inventory:
        """What is there: nobody else can have made it."""
        return Inventory(self._sad.sa_ids(), policies=len(self._spd))

    def lacking(self, policies: Sequence[PolicyRequest]) -> list[PolicyRequest]:
        """Those of the policies that are not in force."""
        return [one for one in policies if one not in self._spd]

    @property
    def deadline(self) -> float:
        """When `expire` is to be called next."""
        return self._expiries[0][0] if self._expiries else math.inf

    def expire(self) -> None:
        """End the lifetimes whose time has come."""
        now = self._monotonic()
        while self._expiries and self._expiries[0][0] <= now:
            _, _, entry, hard = heapq.heappop(self._expiries)
            if self._is_there(entry):
                self._expire(entry, hard)

    def statistics(self) -> PlaneStatistics:
        """The counters as they are now."""
        drops = MappingProxyType(dict(self._drops))
        return PlaneStatistics(len(self._sad), len(self._spd), self._sealed, self._opened, drops)

    def _hold(self, policy: PolicyRequest, flow: Flow, packet: bytes) -> None:
        if self._held.hold(key_of(policy), packet, self._monotonic()):
            self.events.post(Acquired(policy, Trigger(*selectors_of(flow))))

    def _release(self, policies: Sequence[PolicyRequest]) -> None:
        """Send what has waited; what still has no SA waits on."""
        for policy in policies:
            self._held.settle(key_of(policy))
        for packet in self._held.take(self._monotonic(), self._has_sa):
            self.transmit(packet)

    def _has_sa(self, packet: bytes) -> bool:
        flow = flow_of(packet)
        policy = self._spd.outbound(flow) if flow is not None else None
        return policy is not None and self._sad.newest(policy.reqid) is not None

    def _deliver(self, entry: Inbound, next_header: int, inner: bytes) -> None:
        if next_header == NO_NEXT_HEADER:
            return None
        if next_header not in (IPV4_IN_IP, IPV6_IN_IP):
            return self._drop("next-header")
        flow = flow_of(inner)
        allowed = entry.allowed or self._spd.inbound(entry.request.reqid)
        if flow is None or not any(matcher.takes(flow) for matcher in allowed):
            return self._drop("selectors")
        if not self._write(inner):
            return self._drop("device")
        self._opened += 1
        return None

    def _note_use(self, entry: Entry) -> None:
        entry.last_used_at = self._wall()
        crossed = entry.sa.usage.take_crossed()
        if crossed is not None:
            self._expire(entry, hard=crossed is Expiry.HARD)

    def _expire(self, entry: Entry, hard: bool) -> None:
        sa_id = entry.request.sa_id
        if hard:
            self._sad.remove((sa_id,))
        self.events.post(SaExpired(sa_id, hard))

    def _schedule(self, entry: Entry) -> None:
        lifetime = entry.request.lifetime
        for seconds, hard in ((lifetime.soft_seconds, False), (lifetime.hard_seconds, True)):
            if seconds:
                self._expiries_made += 1
                at = self._monotonic() + seconds
                heapq.heappush(self._expiries, (at, self._expiries_made, entry, hard))
        # SAs that are gone leave their keys here: not until their time, and not without bound.
        if len(self._expiries) > _EXPIRIES_PER_SA * len(self._sad) + _SPARE_EXPIRIES:
            self._expiries = [one for one in self._expiries if self._is_there(one[2])]
            heapq.heapify(self._expiries)

    def _is_there(self, entry: Entry) -> bool:
        return self._sad.entry(entry.request.sa_id) is entry

    def _drop(self, reason: str) -> None:
        self._drops[reason] += 1


def _allowed(entry: Inbound, policies: Sequence[PolicyRequest]) -> tuple[Matcher, ...]:
    """What the policies installed with an SA let in, whoever takes those policies over later."""
    return tuple(
        Matcher.of(policy.source, policy.destination)
        for policy in policies
        if policy.direction == Direction.IN and policy.reqid == entry.request.reqid
    )


_REASONS: dict[type[Fault], str] = {
    IntegrityFailed: "integrity",
    Replayed: "replayed",
    InvalidSyntax: "malformed",
    SaOver: "sa-over",
    SequenceExhausted: "sequence-exhausted",
}
