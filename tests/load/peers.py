"""Many peers in one process: associations of ours over one UDP socket, each from its own address.

They are the load, not what is measured: no actors, no data plane, no log, one loop.
"""

from __future__ import annotations

import itertools
import os
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address

from ikeactors.config.proposals import esp_proposals, ike_proposals, templates
from ikeactors.iana import ProtocolId
from ikeactors.protocol.actions import (
    Action,
    AnswerRequest,
    CheckRevocation,
    ClaimIdentity,
    ForgetSpi,
    InstallChildSa,
    RegisterSpi,
    Report,
    SendDatagram,
)
from ikeactors.protocol.events import (
    ChildSaInstalled,
    DatagramReceived,
    Endpoint,
    Event,
    IdentityClaimed,
    InitiationRequested,
    RekeyRequested,
    RevocationChecked,
    TimerExpired,
)
from ikeactors.protocol.ikev2.association import Association
from ikeactors.protocol.settings import (
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
from ikeactors.wire.proposals import Proposal
from ikeactors.wire.selectors import TrafficSelector
from tests.load.credentials import credentials

PORT = 10500
GATEWAY = Endpoint(IPv4Address("127.0.0.1"), 500)
GATEWAY_ID = "gateway.example"
CHILD = "net"
SECRET = b"the secret of all peers of a load"
# Peers call from 127.1.0.1 and up, so each is another address to the gateway.
FIRST_ADDRESS = IPv4Address("127.1.0.1")
NEVER_REKEYED = 1e9

_IP_PKTINFO = getattr(socket, "IP_PKTINFO", 8)
_PKTINFO = struct.Struct("=i4s4s")
_SOCKET_BUFFER = 32 << 20
# A response that has not come within this is lost, or its request is: the network is this host's.
_PATIENCE = 1.0


class SystemEntropy:
    """Random octets of the operating system."""

    def octets(self, count: int) -> bytes:
        return os.urandom(count)


class Stalled(Exception):
    """The gateway does not answer any more."""


def address_of(number: int) -> IPv4Address:
    """The address of a peer."""
    return FIRST_ADDRESS + number


def name_of(number: int) -> str:
    """The identity of a peer."""
    return f"peer-{number}.example"


def ike(word: str) -> tuple[Proposal, ...]:
    """Proposals of an IKE SA in the configuration's words."""
    return templates(ProtocolId.IKE, list(ike_proposals(word)))


def esp(word: str) -> tuple[Proposal, ...]:
    """Proposals of a Child SA in the configuration's words."""
    return templates(ProtocolId.ESP, list(esp_proposals(word)))


class Peers:
    """The peers of one gateway, and the socket they share."""

    def __init__(self, ike_word: str, esp_word: str, key: str = "") -> None:
        """With `key`, a kind of key, they have certificates instead of the shared secret."""
        self._settings = Settings(secrets=(Secret("all", (), SECRET),))
        self._auth = "pubkey" if key else "psk"
        self._connection = connection(ike_word, esp_word, self._auth)
        self._credentials = credentials(key, GATEWAY_ID) if key else None
        self._surroundings = Surroundings(SystemEntropy())
        self._socket = _socket()
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._by_spi: dict[bytes, Association] = {}
        self._requests = itertools.count(1)
        self._answered: set[int] = set()
        self._failures: list[str] = []
        self.associations: list[Association] = []
        self.retransmissions = 0

    def close(self) -> None:
        """Close the socket; the gateway is told nothing."""
        self._socket.close()

    def establish(self, count: int, window: int) -> None:
        """Bring up that many more, at most `window` of them at a time."""

        def start(request: int) -> None:
            association = self._initiating(len(self.associations))
            self.associations.append(association)
            self._step(association, InitiationRequested((CHILD,), request))

        self._run(itertools.repeat(start, count), window)

    def rekey(self, child: str | None, count: int, window: int) -> None:
        """Rekey the child, or with None the IKE SA, of the first so many peers."""

        def starting(association: Association) -> Callable[[int], None]:
            return lambda request: self._step(
                association, RekeyRequested(child, request_id=request)
            )

        self._run(map(starting, self.associations[:count]), window)
        # The Delete of what was replaced belongs to a rekeying.
        self._settle()

    def serve(self, count: int, is_over: Callable[[], bool]) -> None:
        """Be the responder of the gateway until `count` are established."""
        while self.established < count and not is_over():
            self._receive(_PATIENCE)

    @property
    def established(self) -> int:
        """How many stand."""
        return sum(one.established and len(one.children) > 0 for one in self.associations)

    def _initiating(self, number: int) -> Association:
        auth = AuthSettings(self._auth, IdentityPattern(Identity.from_text(name_of(number))))
        local = Endpoint(address_of(number), PORT)
        mine, surroundings = replace(self._connection, local=auth), self._surroundings
        if self._credentials is not None:
            keyring = self._credentials.of(name_of(number))
            surroundings = Surroundings(SystemEntropy(), credentials=keyring, wall_clock=time.time)
        return Association.initiating(self._settings, mine, local, GATEWAY, surroundings)

    def _responding(self, datagram: DatagramReceived) -> Association:
        number = int(datagram.local.address) - int(FIRST_ADDRESS)
        auth = AuthSettings("psk", IdentityPattern(Identity.from_text(name_of(number))))
        mine = replace(self._connection, local=auth)
        settings = replace(self._settings, connections=(mine,))
        association = Association.responding(
            settings, datagram.local, datagram.remote, self._surroundings
        )
        self.associations.append(association)
        self._by_spi[datagram.octets[:8]] = association
        return association

    def _run(self, starts: Iterator[Callable[[int], None]], window: int) -> None:
        """Start one after the other and wait for the answers, some of them at a time."""
        waiting: set[int] = set()
        tries = 0
        while True:
            for start in itertools.islice(starts, window - len(waiting)):
                request = next(self._requests)
                waiting.add(request)
                start(request)
            if not waiting:
                break
            if self._receive(_PATIENCE):
                tries = 0
            else:
                tries += 1
                self._repeat(tries)
            waiting -= self._answered
            self._answered.clear()
            if self._failures:
                raise Stalled(self._failures[0])

    def _settle(self) -> None:
        """Wait until nothing is under way."""
        while any(not one.ike_sa.is_idle for one in self.associations):
            if not self._receive(_PATIENCE):
                self._repeat(1)

    def _repeat(self, tries: int) -> None:
        """Let every association that waits for an answer ask again."""
        if tries > 10:
            raise Stalled("the gateway does not answer")
        now = time.monotonic() + 10.0
        for association in self.associations:
            if association.deadline < now:
                self.retransmissions += 1
                self._step(association, TimerExpired(), now)

    def _receive(self, patience: float) -> bool:
        """Serve what has come; False when nothing came in time."""
        if not self._poll.poll(patience * 1000):
            return False
        while True:
            try:
                octets, ancillary, _, sender = self._socket.recvmsg(65535, 64)
            except BlockingIOError:
                return True
            local = Endpoint(IPv4Address(ancillary[0][2][8:12]), PORT)
            remote = GATEWAY if sender[0] == "127.0.0.1" else Endpoint(IPv4Address(sender[0]), 500)
            datagram = DatagramReceived(octets, local, remote)
            ours = octets[8:16] if octets[19] & 0x08 else octets[:8]
            association = self._by_spi.get(ours) or self._by_spi.get(octets[:8])
            if association is None and octets[18] == 34:
                association = self._responding(datagram)
            if association is not None:
                self._step(association, datagram)

    def _step(self, association: Association, event: Event, now: float = 0.0) -> None:
        events = deque([event])
        while events:
            for action in association.handle(events.popleft(), now or time.monotonic()):
                answer = self._carry(association, action)
                if answer is not None:
                    events.append(answer)

    def _carry(self, association: Association, action: Action) -> Event | None:
        match action:
            case SendDatagram(octets, local, remote):
                source = _PKTINFO.pack(0, local.address.packed, bytes(4))
                ancillary = [(socket.IPPROTO_IP, _IP_PKTINFO, source)]
                self._socket.sendmsg([octets], ancillary, 0, (str(remote.address), remote.port))
            case RegisterSpi(spi):
                self._by_spi[spi] = association
            case ForgetSpi(spi):
                self._by_spi.pop(spi, None)
            case InstallChildSa(ticket):
                return ChildSaInstalled(ticket)
            case ClaimIdentity(ticket):
                return IdentityClaimed(ticket, True)
            case CheckRevocation(ticket):
                return RevocationChecked(ticket)
            case AnswerRequest(request_id, succeeded, text):
                self._answered.add(request_id)
                if not succeeded:
                    self._failures.append(text)
            case Report(name, text) if name == "ike-sa-failed":
                self._failures.append(text)
        return None


def connection(ike_word: str, esp_word: str, auth: str = "psk") -> ConnectionSettings:
    """The connection of every peer, but for its own identity."""
    child = ChildSettings(
        CHILD,
        local_ts=(SelectorTemplate(),),
        remote_ts=(
            SelectorTemplate(
                TrafficSelector(0, 0, 65535, IPv4Address("10.1.0.0"), IPv4Address("10.1.255.255"))
            ),
        ),
        esp_proposals=esp(esp_word),
        rekey_time=NEVER_REKEYED,
        life_time=NEVER_REKEYED,
        rand_time=0.0,
    )
    return ConnectionSettings(
        "gateway",
        proposals=ike(ike_word),
        remote=AuthSettings(auth, IdentityPattern(Identity.from_text(GATEWAY_ID))),
        children=(child,),
        rekey_time=0.0,
        mobike=False,
    )


def _socket() -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    opened.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    for option in (socket.SO_RCVBUF, getattr(socket, "SO_RCVBUFFORCE", 33)):
        try:
            opened.setsockopt(socket.SOL_SOCKET, option, _SOCKET_BUFFER)
        except PermissionError:
            continue
    opened.bind(("0.0.0.0", PORT))
    return opened
