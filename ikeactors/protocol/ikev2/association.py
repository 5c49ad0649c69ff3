"""An association: one peer, its IKE SA, the successor while that is rekeyed, and the Child SAs.

    handle(event, now) -> list[Action]        deadline -> float        closed -> bool

It holds them together. What happens is dispatched in `happenings`, what a fault leads to is in
`refusing`, what an exchange means in the exchange's file, what becomes of Child SAs in `children`,
of IKE SAs in `ike_sas`, with time in `lifetimes`, and what operators ask in `operating`.
"""

from __future__ import annotations

from collections.abc import Callable

from ikeactors.errors import (
    ProtocolFault,
)
from ikeactors.iana import ExchangeType
from ikeactors.protocol.actions import Action, Level, RegisterSpi, SendDatagram
from ikeactors.protocol.credentials import PeerProof
from ikeactors.protocol.events import (
    Endpoint,
    Event,
    Reply,
)
from ikeactors.protocol.ikev2 import (
    create_child_sa,
    happenings,
    ike_auth,
    informational,
    lifetimes,
    operating,
    overlap,
    paths,
    reauthentication,
    refusing,
    restoring,
    revocation,
    saving,
)
from ikeactors.protocol.ikev2.checkpoint import Checkpoint
from ikeactors.protocol.ikev2.child_sa import Path
from ikeactors.protocol.ikev2.children import Children
from ikeactors.protocol.ikev2.exchange import Answer, Continuation, Exchange, Payloads
from ikeactors.protocol.ikev2.fragments import UNFRAGMENTED
from ikeactors.protocol.ikev2.ike_sa import IkeSa, IkeSaState
from ikeactors.protocol.ikev2.ike_sa_init import InitSent
from ikeactors.protocol.ikev2.ike_sas import IkeSas
from ikeactors.protocol.ikev2.informational import DeleteIkeInitiator
from ikeactors.protocol.ikev2.init_answered import InitAnswered
from ikeactors.protocol.ikev2.mobike import Mobike
from ikeactors.protocol.ikev2.nat import NatSituation
from ikeactors.protocol.ikev2.outbox import Outbox
from ikeactors.protocol.ikev2.overlap import Overlap
from ikeactors.protocol.ikev2.phases import Authenticating, Closed, Established, Fresh, Phase
from ikeactors.protocol.ikev2.protection import Opened
from ikeactors.protocol.ikev2.requests import Request
from ikeactors.protocol.ikev2.snapshots import snapshot_of
from ikeactors.protocol.ikev2.stored import Unrestorable
from ikeactors.protocol.ikev2.transcript import Transcript
from ikeactors.protocol.ikev2.workload import is_heavy
from ikeactors.protocol.settings import ConnectionSettings, Settings
from ikeactors.protocol.snapshot import AssociationSnapshot
from ikeactors.protocol.surroundings import Surroundings
from ikeactors.protocol.timers import Timer, TimerTable
from ikeactors.wire.identities import Identity


class Association:
    """One peer association, from its first message to its end."""

    __slots__ = (
        "_waiting",
        "children",
        "connection",
        "created_at",
        "failure",
        "fragmenting",
        "ike_sas",
        "last_heard_at",
        "local",
        "mobike",
        "nat",
        "now",
        "numbers",
        "octets_heard",
        "outbox",
        "overlap",
        "phase",
        "remote",
        "settings",
        "surroundings",
        "timers",
    )

    def __init__(
        self,
        settings: Settings,
        connection: ConnectionSettings,
        local: Endpoint,
        remote: Endpoint,
        surroundings: Surroundings,
    ) -> None:
        self.settings = settings
        self.connection = connection
        self.local = local
        self.remote = remote
        self.surroundings = surroundings
        self.outbox = Outbox(connection.name, surroundings.is_heard)
        self.timers = TimerTable()
        self.children = Children(self)
        self.ike_sas = IkeSas(self)
        self.phase: Phase = Fresh()
        self.nat = NatSituation()
        self.mobike: Mobike | None = None
        self.fragmenting = UNFRAGMENTED
        self.now = self.created_at = self.last_heard_at = 0.0
        self.numbers = 0
        self.octets_heard = 0
        self.failure = ""
        self.overlap: Overlap | None = None
        self._waiting: dict[int, Continuation] = {}

    @classmethod
    def initiating(
        cls,
        settings: Settings,
        connection: ConnectionSettings,
        local: Endpoint,
        remote: Endpoint,
        surroundings: Surroundings,
    ) -> Association:
        """The initiator's end; an InitiationRequested sets it going."""
        return cls(settings, connection, local, remote, surroundings)

    @classmethod
    def responding(
        cls, settings: Settings, local: Endpoint, remote: Endpoint, surroundings: Surroundings
    ) -> Association:
        """The responder's end; it is then given the IKE_SA_INIT request."""
        return cls(settings, _UNKNOWN, local, remote, surroundings)

    @classmethod
    def restored(
        cls,
        settings: Settings,
        checkpoint: Checkpoint,
        surroundings: Surroundings,
        now: float,
        elapsed: float,
    ) -> Association:
        """What the checkpoint says, `elapsed` seconds after it was taken; then Restored is given.

        Raises `Unrestorable`.
        """
        connection = settings.connection(checkpoint.connection)
        if connection is None:
            raise Unrestorable(f"there is no connection {checkpoint.connection} any more")
        association = cls(settings, connection, checkpoint.local, checkpoint.remote, surroundings)
        restoring.put_back(association, checkpoint, now, elapsed)
        return association

    # The contract with the actor.

    def handle(self, event: Event, now: float) -> list[Action]:
        """One step: what has happened, and what is to be done about it, in order."""
        self.now = now
        if not self.closed:
            happenings.dispatch(self, event)
        return self.outbox.take()

    @property
    def deadline(self) -> float:
        """When TimerExpired is wanted; infinity when never."""
        return self.timers.deadline

    @property
    def closed(self) -> bool:
        """Whether it is all over."""
        return isinstance(self.phase, Closed)

    @property
    def established(self) -> bool:
        """Whether both ends have proven who they are."""
        return isinstance(self.phase, Established)

    @property
    def half_open(self) -> bool:
        """Whether a peer has asked for an IKE SA and proven nothing yet."""
        if isinstance(self.phase, Authenticating):
            return not self.ike_sa.spis.original_initiator
        return isinstance(self.phase, InitAnswered)

    @property
    def connection_name(self) -> str:
        """The connection's name; empty while a responder does not know it."""
        return self.outbox.connection

    def snapshot(self, now: float) -> AssociationSnapshot:
        """What it looks like from outside."""
        return snapshot_of(self, now)

    def checkpoint(self, now: float) -> Checkpoint:
        """What it takes to go on after a restart; it must be established."""
        return saving.take(self, now)

    def needs_worker(self, event: Event) -> bool:
        """Whether the step for this event does public-key work that is worth a worker."""
        return is_heavy(self, event)

    # What the engine of an IKE SA asks.

    def respond(
        self, ike_sa: IkeSa, exchange: ExchangeType, opened: Opened, payloads: Payloads
    ) -> Answer | None:
        """The responder's side of an exchange; None when the answer comes later."""
        if self.overlap is not None and exchange is ExchangeType.INFORMATIONAL and not payloads:
            overlap.use_new(self)
        return _RESPONDERS[exchange](self, ike_sa, opened, payloads)

    def refuse(self, fault: ProtocolFault) -> Answer:
        """A request's fault turned into its answer."""
        return refusing.refuse(self, fault)

    def response_failed(self, ike_sa: IkeSa, exchange: Exchange, fault: ProtocolFault) -> None:
        """A response that is proven to be the peer's makes no sense."""
        refusing.response_failed(self, ike_sa, exchange, fault)

    # How the IKE SA comes to stand.

    @property
    def ike_sa(self) -> IkeSa:
        """The IKE SA that stands."""
        return self.ike_sas.current

    @property
    def authenticating(self) -> tuple[Transcript, tuple[ConnectionSettings, ...]]:
        """What IKE_SA_INIT was, and the connections the peer may claim."""
        assert isinstance(self.phase, Authenticating)
        return self.phase.transcript, self.phase.connections

    def answered_init(self, phase: InitAnswered) -> None:
        """The responder's answer is about to leave."""
        self.phase = phase
        self.timers.start(Timer.HALF_OPEN, self.now + self.surroundings.half_open_timeout())
        self.emit(RegisterSpi(phase.spis.ours))

    def keyed(self, ike_sa: IkeSa, transcript: Transcript, nat: NatSituation | None) -> None:
        """There are keys: IKE_AUTH is next."""
        phase, self.phase = self.phase, Authenticating(transcript, (self.connection,))
        self.timers.stop(Timer.RETRANSMIT)
        self.timers.stop(Timer.ERROR_PATIENCE)
        self.ike_sas.add(ike_sa, register=False)
        if isinstance(phase, InitAnswered):
            self.phase = Authenticating(transcript, phase.connections, answered=phase)
            return
        assert isinstance(phase, InitSent)
        self.nat = nat or NatSituation()
        if self.path.encapsulated or (self.connection.mobike and self.nat.supported):
            paths.float_ports(self)
        operating.authenticate(self, transcript, phase)

    def established_between(
        self, local: Identity, remote: Identity, proof: PeerProof | None
    ) -> None:
        """Both ends have proven who they are."""
        assert isinstance(self.phase, Authenticating)
        kept = revocation.proof_to_keep(self, proof)
        self.phase = Established(local, remote, self.phase.request, kept)
        self.outbox.connection = self.connection.name
        self.timers.stop(Timer.HALF_OPEN)
        self.last_heard_at = self.now
        lifetimes.begin(self)
        reauthentication.schedule(self, initiated=self.phase.request is not None)
        revocation.schedule(self, kept)

    # How it ends.

    def delete_ike_sa(self, reason: str, request: Request) -> None:
        """Delete the IKE SA on both ends."""
        if self.ike_sa.state is not IkeSaState.DELETING:
            self.ike_sa.state = IkeSaState.DELETING
            self.ike_sa.abandon_queue(self, reason)
            self.ike_sa.ask(self, DeleteIkeInitiator(reason, request))
            return
        request.finish_part(self)

    def fail(self, reason: str) -> None:
        """It did not come about, or was lost; `failure` says why."""
        self.failure = reason
        name = "ike-sa-lost" if self.established else "ike-sa-failed"
        self.report(name, reason, Level.WARNING)
        self.close(reason)

    def turn_away(self, reason: Callable[[], str]) -> None:
        """A stranger got nowhere; why is worked out and told only as often as is bearable."""
        if self.surroundings.complaints.take(self.now):
            self.fail(reason())
        else:
            self.close("")

    def close(self, reason: str) -> None:
        """The end: take everything out of the data plane and tell whoever waits."""
        if self.closed:
            return
        phase, self.phase = self.phase, Closed()
        self.ike_sas.abandon_all(reason)
        self.children.remove_all(reason)
        if isinstance(phase, Established) and not self.failure:
            self.report("ike-sa-closed", f"the IKE SA is closed: {reason}")
        phase.ended(self, reason)
        self.timers.stop_all()
        self._waiting.clear()

    # Small things the exchanges share.

    @property
    def feigns_nat(self) -> bool:
        """Whether the peer is to believe in a NAT, so that ESP goes in UDP."""
        return self.surroundings.encapsulate or self.connection.encap

    @property
    def path(self) -> Path:
        """Where the Child SAs' packets go."""
        return Path(self.local, self.remote, self.nat.present or self.feigns_nat)

    def next_number(self) -> int:
        """A number that names an IKE SA, a Child SA or a ticket within this association."""
        self.numbers += 1
        return self.numbers

    @property
    def waiting(self) -> tuple[Continuation, ...]:
        """What goes on when the surroundings answer."""
        return tuple(self._waiting.values())

    def resume(self, answer: Reply) -> None:
        """Go on where an action was waited for."""
        continuation = self._waiting.pop(answer.ticket, None)
        if not self._waiting:
            # A dictionary that was ever filled keeps 160 octets.
            self._waiting = {}
        if continuation is not None:
            continuation.resumed(self, answer)
        if self.connection.window_size > 1:
            self.ike_sas.serve_held()

    def wait_for(self, then: Continuation) -> int:
        """A ticket: its answer resumes `then`."""
        ticket = self.next_number()
        self._waiting[ticket] = then
        return ticket

    def emit(self, action: Action) -> None:
        """Ask for something."""
        self.outbox.emit(action)

    def report(self, name: str, text: str, level: Level = Level.INFO, **details: str | int) -> None:
        """Tell whoever listens."""
        self.outbox.report(name, text, level, **details)

    def drop(self, reason: str) -> None:
        """A message is passed over, and counted by whoever listens."""
        self.report("message-dropped", f"dropped a message: {reason}", Level.DEBUG)

    def send(self, *datagrams: bytes) -> None:
        """Send to the peer."""
        for octets in datagrams:
            self.send_to(octets, self.local, self.remote)

    def send_to(self, octets: bytes, local: Endpoint, remote: Endpoint) -> None:
        """Send from here to there, as back to where a datagram came from."""
        self.emit(SendDatagram(octets, local, remote, self.connection.dscp))


# What a responder has until it knows which connection its peer may use.
_UNKNOWN = ConnectionSettings("")

_RESPONDERS = {
    ExchangeType.IKE_AUTH: ike_auth.respond,
    ExchangeType.CREATE_CHILD_SA: create_child_sa.respond,
    ExchangeType.INFORMATIONAL: informational.respond,
}
