"""Stand-ins for what surrounds the actors: an association that does as a test says, a sender."""

from __future__ import annotations

import math
import struct
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

import trio

from ikeactors.actors.workers import Done
from ikeactors.protocol.actions import Action, SendDatagram
from ikeactors.protocol.events import DatagramReceived, Endpoint, Event
from ikeactors.protocol.settings import ConnectionSettings
from ikeactors.protocol.snapshot import AssociationSnapshot, ChildSnapshot

LOCAL = Endpoint(ip_address("192.0.2.1"), 500)
REMOTE = Endpoint(ip_address("192.0.2.2"), 500)
HELLO = SendDatagram(b"hello", LOCAL, REMOTE)

Step = Callable[["FakeAssociation", Event], Sequence[Action]]


class Injected(Exception):
    """The fault a test asked for."""


def ignore(_: FakeAssociation, __: Event) -> Sequence[Action]:
    """A step in which nothing happens."""
    return []


def crash(_: FakeAssociation, __: Event) -> Sequence[Action]:
    """A step that is our bug."""
    raise Injected("as the test said")


def establish(association: FakeAssociation, _: Event) -> Sequence[Action]:
    """A step after which the IKE SA is there."""
    association.established = True
    association.half_open = False
    return [HELLO]


def close(association: FakeAssociation, _: Event) -> Sequence[Action]:
    """A step after which it is over, without a failure."""
    association.closed = True
    return []


def fail(association: FakeAssociation, _: Event) -> Sequence[Action]:
    """A step after which it is over because of a failure."""
    association.closed = True
    association.failure = "no answer"
    return []


class FakeAssociation:
    """Takes the next step of its script at each event; with an empty script it ignores events."""

    def __init__(self, script: Sequence[Step] = (), connection: str = "net") -> None:
        self.script = list(script)
        self.connection_name = connection
        self.events: list[Event] = []
        self.deadline = math.inf
        self.closed = False
        self.established = False
        self.half_open = False
        self.failure = ""
        self.slow = False
        self.children: tuple[str, ...] = ()

    def handle(self, event: Event, now: float) -> Sequence[Action]:
        self.events.append(event)
        step = self.script.pop(0) if self.script else ignore
        return step(self, event)

    def needs_worker(self, event: Event) -> bool:
        return self.slow

    def snapshot(self, now: float) -> AssociationSnapshot:
        return snapshot(self.connection_name, self.children)


@dataclass
class FakeAssociations:
    """Makes associations with the scripts given, the last of them again and again."""

    scripts: list[Sequence[Step]] = field(default_factory=list)
    made: list[FakeAssociation] = field(default_factory=list)
    ends: list[tuple[Endpoint, Endpoint]] = field(default_factory=list)
    made_at: list[float] = field(default_factory=list)

    def initiating(
        self, connection: ConnectionSettings, local: Endpoint, remote: Endpoint
    ) -> FakeAssociation:
        return self._next(connection.name, local, remote)

    def responding(self, local: Endpoint, remote: Endpoint) -> FakeAssociation:
        association = self._next("", local, remote)
        association.half_open = True
        return association

    def _next(self, connection: str, local: Endpoint, remote: Endpoint) -> FakeAssociation:
        script = self.scripts.pop(0) if len(self.scripts) > 1 else (*self.scripts, ())[0]
        association = FakeAssociation(script, connection)
        self.made.append(association)
        self.ends.append((local, remote))
        self.made_at.append(trio.current_time())
        return association


@dataclass
class FakeSender:
    """Keeps what was sent."""

    sent: list[bytes] = field(default_factory=list)

    def send_message(self, octets: bytes, local: Endpoint, remote: Endpoint, dscp: int = 0) -> None:
        self.sent.append(octets)

    def send_keepalive(self, local: Endpoint, remote: Endpoint) -> None:
        self.sent.append(b"\xff")


def in_place(delay: float = 0.0) -> Callable[[Callable[[], Done]], Awaitable[Done]]:
    """A carrier of jobs without threads, so that the clock of a test can jump."""

    async def carry(work: Callable[[], Done], /) -> Done:
        await trio.sleep(delay)
        return work()

    return carry


def snapshot(connection: str, children: Sequence[str] = ()) -> AssociationSnapshot:
    """A snapshot with these Child SAs."""
    return AssociationSnapshot(
        connection=connection,
        version=2,
        state="ESTABLISHED",
        local=str(LOCAL),
        remote=str(REMOTE),
        local_id="a.lab",
        remote_id="b.lab",
        spi_i="",
        spi_r="",
        original_initiator=True,
        suite="",
        nat_local=False,
        nat_remote=False,
        age=0.0,
        rekey_in=None,
        reauthenticate_in=None,
        children=tuple(_child(name) for name in children),
    )


def _child(name: str) -> ChildSnapshot:
    return ChildSnapshot(
        name=name,
        state="INSTALLED",
        number=1,
        mode="tunnel",
        protocol="ESP",
        spi_in=1,
        spi_out=2,
        suite="",
        local_ts=(),
        remote_ts=(),
        reqid=1,
        encapsulated=False,
        age=0.0,
        rekey_in=None,
        sa_ids=(),
    )


def first_request(spi_i: bytes = b"initiatr", remote: Endpoint = REMOTE) -> DatagramReceived:
    """The header alone of an IKE_SA_INIT request."""
    header = struct.pack(">8s8sBBBBII", spi_i, bytes(8), 33, 0x20, 34, 0x08, 0, 28)
    return DatagramReceived(header, LOCAL, remote)


def doing(*actions: Action, then: Step = ignore) -> Step:
    """A step that asks for these, and what another one does."""

    def step(association: FakeAssociation, event: Event) -> Sequence[Action]:
        return [*actions, *then(association, event)]

    return step
