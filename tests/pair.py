"""Two ends and the network between them, without sockets: for tests that read as a trace."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network

from ikeactors.config.proposals import esp_proposals, ike_proposals, templates
from ikeactors.crypto.pki.revocation import RevocationFinding
from ikeactors.iana import ProtocolId
from ikeactors.kernel.requests import Direction, PolicyRequest, SaId, SaRequest, SaUsage
from ikeactors.protocol.actions import (
    Action,
    AnswerRequest,
    CheckName,
    CheckRevocation,
    ClaimIdentity,
    FetchCertificates,
    InstallChildSa,
    MoveChildSa,
    QueryUsage,
    RemoveChildSa,
    Report,
    SendDatagram,
    SignByToken,
    Trace,
)
from ikeactors.protocol.credentials import Credentials, NoCredentials
from ikeactors.protocol.events import (
    Address,
    CertificatesFetched,
    ChildSaInstalled,
    DatagramReceived,
    Endpoint,
    Event,
    IdentityClaimed,
    InitiationRequested,
    KernelRefused,
    NameChecked,
    RevocationChecked,
    SignedByToken,
    TimerExpired,
    UsageReported,
)
from ikeactors.protocol.ikev2.association import Association
from ikeactors.protocol.ikev2.transcript import NONCE_OCTETS
from ikeactors.protocol.settings import (
    AddressPattern,
    AuthSettings,
    ChildSettings,
    ConnectionSettings,
    IdentityPattern,
    Secret,
    SelectorTemplate,
    Settings,
)
from ikeactors.protocol.surroundings import Surroundings
from ikeactors.wire.identities import Identity
from ikeactors.wire.selectors import TrafficSelector

WEST = Endpoint(ip_address("192.0.2.1"), 500)
EAST = Endpoint(ip_address("192.0.2.2"), 500)
PSK = b"a secret of thirty-two octets ok"


class SeededEntropy:
    """Octets that are a function of the seed, for runs that repeat."""

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode()
        self._count = itertools.count()
        self.first_octet: int | None = None

    def octets(self, count: int) -> bytes:
        label = self._seed + next(self._count).to_bytes(8, "big")
        drawn = hashlib.shake_256(label).digest(count)
        if self.first_octet is None or count != NONCE_OCTETS:
            return drawn
        return bytes((self.first_octet,)) + drawn[1:]


def ike(*words: str) -> tuple:
    return templates(ProtocolId.IKE, [one for word in words for one in ike_proposals(word)])


def esp(*words: str) -> tuple:
    return templates(ProtocolId.ESP, [one for word in words for one in esp_proposals(word)])


def selectors(*networks: str) -> tuple[SelectorTemplate, ...]:
    return tuple(
        SelectorTemplate(TrafficSelector.of_network(ip_network(network))) for network in networks
    )


def child(name: str = "net", **changes: object) -> ChildSettings:
    """A child as the western end configures it."""
    settings = ChildSettings(
        name,
        local_ts=selectors("10.1.0.0/16"),
        remote_ts=selectors("10.2.0.0/16"),
        esp_proposals=esp("aes128gcm16"),
    )
    return replace(settings, **changes)


def mirrored(settings: ChildSettings) -> ChildSettings:
    return replace(settings, local_ts=settings.remote_ts, remote_ts=settings.local_ts)


def connection(**changes: object) -> ConnectionSettings:
    """A connection as the western end configures it."""
    settings = ConnectionSettings(
        "gw",
        remote_addrs=(AddressPattern(EAST.address, EAST.address),),
        proposals=ike("aes128gcm16-prfsha256-x25519"),
        local=AuthSettings("psk", IdentityPattern(Identity.from_text("west.example"))),
        remote=AuthSettings("psk", IdentityPattern(Identity.from_text("east.example"))),
        children=(child(),),
        rand_time=0.0,
        mobike=False,
    )
    return replace(settings, **changes)


def opposite(settings: ConnectionSettings) -> ConnectionSettings:
    """The same connection as the eastern end configures it."""
    return replace(
        settings,
        remote_addrs=(AddressPattern(WEST.address, WEST.address),),
        local=settings.remote,
        remote=settings.local,
        children=tuple(mirrored(one) for one in settings.children),
    )


@dataclass
class End:
    """One end: an association, what its data plane holds, and what it has said."""

    name: str
    association: Association
    sas: dict[SaId, SaRequest] = field(default_factory=dict)
    policies: list[PolicyRequest] = field(default_factory=list)
    octets: dict[SaId, int] = field(default_factory=dict)
    reports: list[Report] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)
    answers: list[AnswerRequest] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    refuse: Callable[[InstallChildSa], str] = lambda action: ""
    grant: Callable[[ClaimIdentity], bool] = lambda action: True
    findings: tuple[RevocationFinding, ...] = ()
    proven: tuple[tuple[Address, ...], str] = ((), "nobody asks")
    sign: Callable[[SignByToken], tuple[bytes, str]] = lambda action: (b"", "it has no token")
    web: dict[str, bytes] = field(default_factory=dict)

    def said(self, name: str) -> list[Report]:
        """The reports of a name."""
        return [report for report in self.reports if report.name == name]

    def usages(self, sa_ids: tuple[SaId, ...]) -> tuple[SaUsage, ...]:
        """What has gone through those of the SAs that are there."""
        return tuple(
            SaUsage(one, self.octets.get(one, 0), 0, 0.0) for one in sa_ids if one in self.sas
        )

    def spis(self) -> set[int]:
        """The SPIs in the data plane."""
        return {sa_id.spi for sa_id in self.sas}


@dataclass
class Flight:
    """A datagram under way."""

    receiver: End
    datagram: DatagramReceived
    text: str = ""


class Pair:
    """West initiates, east responds. `trace` is what both sent, in the RFC's notation.

    `fate` says how many copies arrive of the nth datagram, `nat` what becomes of it on its way.
    While `gapless` holds, the newest outbound SA of an end must be inbound at the other. `nonces`
    fixes their order: it names the end and its role in an exchange ("west i", "east r", ...), the
    lowest first; what it does not name comes behind. With a list in `slow` the surroundings answer
    when they are told to.
    """

    def __init__(
        self,
        west: ConnectionSettings | None = None,
        east: ConnectionSettings | None = None,
        *,
        west_secret: bytes = PSK,
        east_secret: bytes = PSK,
        seed: str = "0",
        encapsulate: bool = False,
        nonces: tuple[str, ...] = (),
        credentials: Mapping[str, Credentials] | None = None,
        wall_clock: float = 0.0,
    ) -> None:
        west = west or connection()
        east = east or opposite(west)
        self.now = 1000.0
        self.trace: list[str] = []
        self.flights: list[Flight] = []
        self.sent = 0
        self.fate: Callable[[int], int] = lambda number: 1
        self.gapless = False
        self.slow: list[tuple[End, Event]] | None = None
        self.nat: Callable[[DatagramReceived], DatagramReceived] = lambda datagram: datagram
        self.west_settings = settings_of(west, west_secret)
        self.east_settings = settings_of(east, east_secret)
        self.nonces = nonces
        self.entropies = {name: SeededEntropy(f"{seed}/{name}") for name in ("west", "east")}
        self._surroundings = {
            name: replace(
                self.surroundings_of(name, encapsulate),
                wall_clock=lambda: wall_clock,
                credentials=(credentials or {}).get(name, NoCredentials()),
            )
            for name in self.entropies
        }
        self.west = End(
            "west",
            Association.initiating(
                self.west_settings, west, WEST, EAST, self._surroundings["west"]
            ),
        )
        self.east = End("east", self.responder())

    def surroundings_of(self, name: str, encapsulate: bool) -> Surroundings:
        """What the associations of an end share."""
        return Surroundings(self.entropies[name], encapsulate=encapsulate)

    def responder(self, remote: Endpoint = WEST) -> Association:
        """A fresh responder for the eastern end, to a peer that seems to be at `remote`."""
        return Association.responding(self.east_settings, EAST, remote, self._surroundings["east"])

    # Driving.

    def give(self, end: End, event: Event) -> None:
        """One step of one end, and the answers of its surroundings."""
        self._order_nonces(end, event)
        for action in end.association.handle(event, self.now):
            end.actions.append(action)
            answer = self._carry_out(end, action)
            if self.gapless:
                self.assert_no_gap()
            if answer is not None and self.slow is not None:
                self.slow.append((end, answer))
            elif answer is not None:
                self.give(end, answer)

    def answer_slowly(self, end: End) -> None:
        """The first thing that this end waits for from its surroundings is answered."""
        assert self.slow is not None
        place = next(at for at, (waiting, _) in enumerate(self.slow) if waiting is end)
        self.give(*self.slow.pop(place))

    def hurry(self) -> None:
        """The surroundings answer everything, and at once from now on."""
        waiting, self.slow = self.slow or [], None
        for end, answer in waiting:
            self.give(end, answer)

    def _order_nonces(self, end: End, event: Event) -> None:
        if not self.nonces:
            return
        is_request = isinstance(event, DatagramReceived) and not event.octets[19] & 0x20
        role = f"{end.name} {'r' if is_request else 'i'}"
        place = self.nonces.index(role) if role in self.nonces else len(self.nonces)
        self.entropies[end.name].first_octet = 16 * place

    def _carry_out(self, end: End, action: Action) -> Event | None:
        match action:
            case SendDatagram():
                self._send(end, action)
            case InstallChildSa():
                return self._install(end, action)
            case RemoveChildSa():
                self._remove(end, action.sas, action.policies)
            case MoveChildSa():
                self._remove(end, action.old, action.old_policies)
                self._add(end, action.sas, action.policies)
            case QueryUsage():
                return UsageReported(action.ticket, end.usages(action.sa_ids))
            case ClaimIdentity():
                return IdentityClaimed(action.ticket, end.grant(action))
            case CheckRevocation():
                return RevocationChecked(action.ticket, end.findings)
            case CheckName():
                return NameChecked(action.ticket, action.name, *end.proven)
            case FetchCertificates():
                found = tuple(end.web[url] for _, url in action.names if url in end.web)
                missing = tuple(f"{url}: 404" for _, url in action.names if url not in end.web)
                return CertificatesFetched(action.ticket, found, missing)
            case SignByToken():
                return SignedByToken(action.ticket, *end.sign(action))
            case AnswerRequest():
                end.answers.append(action)
            case Report():
                end.reports.append(action)
            case Trace():
                end.traces.append(action)
                if action.sent:
                    arrow = "-->" if end is self.west else "<--"
                    self.trace.append(f"{arrow} {action.text[4:]}")
        return None

    def _send(self, end: End, action: SendDatagram) -> None:
        other = self.east if end is self.west else self.west
        datagram = self.nat(DatagramReceived(action.octets, action.remote, action.local))
        self.flights += [Flight(other, datagram) for _ in range(self.fate(self.sent))]
        self.sent += 1

    def _install(self, end: End, action: InstallChildSa) -> Event:
        refusal = end.refuse(action)
        if refusal:
            return KernelRefused(action.ticket, 22, refusal)
        self._add(end, action.sas, action.policies)
        return ChildSaInstalled(action.ticket)

    def _add(self, end: End, sas: tuple[SaRequest, ...], policies: tuple) -> None:
        for sa in sas:
            assert sa.sa_id not in end.sas, "an SA was installed twice"
            end.sas[sa.sa_id] = sa
        end.policies.extend(policies)

    def _remove(self, end: End, sas: tuple[SaId, ...], policies: tuple) -> None:
        for sa_id in sas:
            end.sas.pop(sa_id, None)
        for policy in policies:
            end.policies.remove(policy)

    def deliver(self, flight: Flight) -> None:
        """Let one datagram arrive."""
        self.flights.remove(flight)
        self.give(flight.receiver, flight.datagram)

    def settle(self, limit: int = 200) -> None:
        """Deliver what is under way until nothing is."""
        for _ in range(limit):
            if not self.flights:
                return
            self.deliver(self.flights[0])
        raise AssertionError("the two ends do not come to rest")

    def drop(self) -> None:
        """Lose everything that is under way."""
        self.flights.clear()

    def initiate(self, *children: str, request_id: int | None = 1) -> None:
        """West initiates; nothing is delivered yet."""
        self.give(self.west, InitiationRequested(children, request_id))

    def establish(self, *children: str) -> Pair:
        """West initiates, and everything arrives."""
        self.initiate(*children)
        self.settle()
        assert self.west.association.established, self.west.association.failure
        assert self.east.association.established, self.east.association.failure
        return self

    def pass_time(self, seconds: float, deliver: bool = True) -> None:
        """Let time pass, serving every timer at its deadline."""
        end_at = self.now + seconds
        while True:
            deadline = min(end.association.deadline for end in self.ends())
            if deadline > end_at:
                break
            self.now = max(self.now, deadline)
            for end in self.ends():
                if end.association.deadline <= self.now:
                    self.give(end, TimerExpired())
            self.settle() if deliver else self.drop()
        self.now = end_at

    def to_next_timer(self) -> None:
        """Let time pass up to the first deadline, and serve it."""
        deadline = min(end.association.deadline for end in self.ends())
        assert not math.isinf(deadline)
        self.now = max(self.now, deadline)
        for end in self.ends():
            if end.association.deadline <= self.now:
                self.give(end, TimerExpired())

    def ends(self) -> Iterator[End]:
        """Both ends."""
        yield self.west
        yield self.east

    # What must hold.

    def assert_no_gap(self) -> None:
        """What either end sends now, the other receives."""
        for end, peer in ((self.west, self.east), (self.east, self.west)):
            outbound = [one for one, sa in end.sas.items() if sa.direction is Direction.OUT]
            assert outbound, f"{end.name} cannot send"
            assert outbound[-1] in peer.sas, f"{end.name} sends what nobody receives"
            assert end.policies, f"{end.name} has no policies"

    def assert_one_pair(self) -> None:
        """One Child SA stands, and nothing is left of any other."""
        self.assert_mirrored()
        for end in self.ends():
            assert len(end.sas) == 2
            assert len(end.policies) == len(set(end.policies)) == 3
            assert [one.name for one in end.association.children] == ["net"]
            assert end.association.children.named("net")

    def assert_mirrored(self) -> None:
        """Both data planes hold the same SAs with the same keys, and nothing else."""
        assert set(self.west.sas) == set(self.east.sas)
        for sa_id, ours in self.west.sas.items():
            theirs = self.east.sas[sa_id]
            assert (ours.encr_key, ours.integ_key) == (theirs.encr_key, theirs.integ_key)
            assert ours.direction is not theirs.direction
            assert ours.suite == theirs.suite


def settings_of(one: ConnectionSettings, secret: bytes) -> Settings:
    """A configuration of one connection."""
    return Settings((one,), (Secret("psk", (), secret),))
