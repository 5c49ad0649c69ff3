"""The engine of an IKE SA: open, window, dispatch by exchange type, seal.

It knows no payload's name: what is inside of a message is for the exchanges.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from ikeactors.crypto.keys import IkeKeys
from ikeactors.crypto.suite import IkeSuite
from ikeactors.errors import Fault, ProtocolFault
from ikeactors.iana import ExchangeType
from ikeactors.protocol.actions import KeepAnswer
from ikeactors.protocol.ikev2.exchange import Answer, Exchange, Payloads, may_overlap
from ikeactors.protocol.ikev2.fragments import seal_message
from ikeactors.protocol.ikev2.installing import install_for_answer
from ikeactors.protocol.ikev2.paths import heard
from ikeactors.protocol.ikev2.probing import answered_by
from ikeactors.protocol.ikev2.protection import DirectionKeys, Opened
from ikeactors.protocol.ikev2.reassembly import check_repeated, open_message
from ikeactors.protocol.ikev2.retransmission import schedule, watch
from ikeactors.protocol.ikev2.window import (
    Arrival,
    Early,
    Outstanding,
    RequestWindow,
    ResponseWindow,
    Served,
)
from ikeactors.protocol.timers import Timer
from ikeactors.quick import quick
from ikeactors.wire.header import Header
from ikeactors.wire.payload import Notify

if TYPE_CHECKING:
    from ikeactors.protocol.events import DatagramReceived
    from ikeactors.protocol.ikev2.association import Association


class IkeSaState(enum.Enum):
    """Where an IKE SA stands; what may be asked on it follows from `_GATES`."""

    AUTHENTICATING = "authenticating"
    ESTABLISHED = "established"
    REKEYED = "rekeyed"
    DELETING = "deleting"


# Ours: exchanges waiting for their turn on one IKE SA. More than the children of a large
# connection, each rekeyed at once, is a peer's or an operator's mistake.
MAX_QUEUED = 4096


@quick
class Spis:
    """The pair that names an IKE SA, and which of the two is ours."""

    spi_i: bytes
    spi_r: bytes
    original_initiator: bool

    @property
    def ours(self) -> bytes:
        """The SPI that messages to us carry for us."""
        return self.spi_i if self.original_initiator else self.spi_r


class IkeSa:
    """One IKE SA: its keys, its two windows and the exchanges waiting for their turn."""

    __slots__ = (
        "incoming",
        "iv_counter",
        "keys",
        "number",
        "outgoing",
        "queue",
        "requests",
        "responses",
        "spis",
        "state",
        "suite",
        "token",
    )

    def __init__(
        self,
        number: int,
        spis: Spis,
        suite: IkeSuite,
        keys: IkeKeys,
        windows: tuple[RequestWindow, ResponseWindow],
    ) -> None:
        self.number = number
        self.spis = spis
        self.suite = suite
        self.keys = keys
        self.state = IkeSaState.AUTHENTICATING
        self.requests, self.responses = windows
        # Nearly always empty: an empty list takes 56 octets, an empty deque 760.
        self.queue: list[Exchange] = []
        self.iv_counter = 0
        self.token = b""
        from_i = DirectionKeys(suite, keys.sk_ei, keys.sk_ai)
        from_r = DirectionKeys(suite, keys.sk_er, keys.sk_ar)
        self.outgoing, self.incoming = (
            (from_i, from_r) if spis.original_initiator else (from_r, from_i)
        )

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way in either direction."""
        return not self.requests.outstanding and not self.queue and not self.responses.pending

    # Our requests.

    def ask(self, association: Association, exchange: Exchange) -> None:
        """Start an exchange, or queue it behind those that are under way."""
        if len(self.queue) >= MAX_QUEUED:
            exchange.abandoned(association, "too many exchanges are waiting")
            return
        self.queue.append(exchange)
        self.send_next(association)

    def ask_first(self, association: Association, exchange: Exchange) -> None:
        """Start an exchange before all that wait for their turn."""
        self.queue_first(exchange)
        self.send_next(association)

    def queue_first(self, exchange: Exchange) -> None:
        """The same, once the request that is being served is answered."""
        self.queue.insert(0, exchange)

    def send_next(self, association: Association) -> None:
        """Send the next requests if the window has room for them."""
        while self.queue and self._may_send(self.queue[0]):
            if self.requests.is_exhausted:
                association.fail("the message IDs of the IKE SA are used up")
                return
            exchange = self.queue.pop(0)
            payloads = exchange.request(association, self)
            if payloads is not None:
                self._send_request(association, exchange, payloads)

    def _may_send(self, exchange: Exchange) -> bool:
        """Whether it may go now, beside those that are under way."""
        requests = self.requests
        return requests.has_room and all(
            may_overlap(exchange, one.exchange) for one in requests.outstanding
        )

    def _send_request(
        self, association: Association, exchange: Exchange, payloads: Payloads
    ) -> None:
        message_id = self.requests.next_id
        kind = exchange.exchange
        datagrams = seal_message(association, self, kind, message_id, payloads, False)
        outstanding = Outstanding(message_id, datagrams, exchange, payloads)
        self.requests.sent(outstanding)
        association.outbox.trace(
            exchange.exchange, message_id, False, payloads, association.remote, sent=True
        )
        association.send(*datagrams)
        schedule(association, self, outstanding)

    # What the peer sends.

    def receive(self, association: Association, datagram: DatagramReceived, header: Header) -> None:
        """A message with our SPI: whatever is not the peer's is dropped without a trace."""
        if header.from_original_initiator == self.spis.original_initiator:
            association.drop("the initiator flag contradicts the role")
            return
        if header.major != 2:
            association.drop("a protected message of another major version")
            return
        if header.is_response:
            self._receive_response(association, datagram, header)
        else:
            self._receive_request(association, datagram, header)

    def _receive_response(
        self, association: Association, datagram: DatagramReceived, header: Header
    ) -> None:
        outstanding = self.requests.find(header.message_id)
        if outstanding is None:
            association.drop("a response to nothing asked")
            return
        if header.exchange is not outstanding.exchange.exchange:
            association.drop("a response of another exchange type")
            return
        opened = self._open(association, datagram, header, outstanding)
        if opened is None:
            return

        # Authenticated: from here on we may change.
        self.requests.answered(outstanding)
        watch(association, self)
        heard(association, self, datagram)
        answered_by(association, outstanding, datagram)
        try:
            payloads = opened.payloads()
            association.outbox.trace(
                header.exchange, header.message_id, True, payloads, association.remote, sent=False
            )
            outstanding.exchange.answered(association, self, opened, payloads)
        except ProtocolFault as fault:
            association.response_failed(self, outstanding.exchange, fault)
        self.send_next(association)

    def _receive_request(
        self, association: Association, datagram: DatagramReceived, header: Header
    ) -> None:
        arrival = self.responses.classify(header.message_id, self._size(association))
        if arrival is Arrival.OUTSIDE:
            association.drop("a request outside of the window")
            return
        if arrival is Arrival.REPEATED:
            self._repeat(association, datagram, header)
            return
        if arrival is Arrival.EARLY:
            self._hold(association, datagram, header)
            return
        opened = self._open(association, datagram, header, self.responses)
        if opened is None:
            return
        if not self._serves(header.exchange):
            association.drop(f"{header.exchange.name} on an IKE SA that is {self.state.value}")
            return

        # Authenticated: from here on we may change.
        heard(association, self, datagram)
        served = Served(header.exchange, datagram.local, datagram.remote)
        self._serve(association, served, opened)
        self.serve_held(association)
        self.send_next(association)

    def _size(self, association: Association) -> int:
        """How many requests the peer may have out: what we announce once it is authenticated."""
        if self.state is IkeSaState.AUTHENTICATING:
            return 1
        return association.connection.window_size

    def _hold(self, association: Association, datagram: DatagramReceived, header: Header) -> None:
        """A request that has overtaken others waits for them; once whole it does not change."""
        early = self.responses.early(header.message_id)
        if early is None:
            early = Early(Served(header.exchange, datagram.local, datagram.remote))
        if early.opened is not None or header.exchange is not early.served.exchange:
            association.drop("an early request that is here already")
            return
        opened = self._open(association, datagram, header, early)
        if opened is None and early.partial is None:
            return

        # Authenticated: from here on we may change.
        early.opened = opened
        self.responses.hold(header.message_id, early)
        heard(association, self, datagram)

    def serve_held(self, association: Association) -> None:
        """Serve what was early and has its turn now."""
        while not association.closed and (early := self.responses.take_next()) is not None:
            if not self._serves(early.served.exchange):
                association.drop(f"an early request on an IKE SA that is {self.state.value}")
                return
            assert early.opened is not None
            self._serve(association, early.served, early.opened)

    def _serves(self, exchange: ExchangeType) -> bool:
        """Only the original responder is asked to authenticate: its peer has only an answer."""
        if exchange is ExchangeType.IKE_AUTH and self.spis.original_initiator:
            return False
        return exchange in _GATES[self.state]

    def _serve(self, association: Association, served: Served, opened: Opened) -> None:
        message_id = self.responses.expected_id
        self.responses.begin(message_id, served)
        try:
            payloads = opened.payloads()
            association.outbox.trace(
                served.exchange, message_id, False, payloads, association.remote, sent=False
            )
            answer = association.respond(self, served.exchange, opened, payloads)
        except ProtocolFault as fault:
            answer = association.refuse(fault)
        if answer is not None:
            self.answer(association, answer)

    def answer(self, association: Association, answer: Answer) -> None:
        """Answer the request that is being served, once what it needs is installed."""
        if answer.install is not None:
            install_for_answer(association, self, answer, answer.install)
            return
        self.respond(association, answer.payloads)
        if answer.close and self is association.ike_sa:
            association.close(answer.close)
            # It says little: it never takes more than one datagram.
            last_id, octets = self.responses.expected_id - 1, self.responses.last_response[0]
            association.emit(KeepAnswer(self.spis.ours, last_id, octets))
        elif answer.close:
            association.ike_sas.forget(self)

    def respond(self, association: Association, payloads: Payloads) -> None:
        """Send the response to where the request came from (RFC 7296 section 2.11).

        Its octets are kept for when the request comes again.
        """
        message_id, served = self.responses.expected_id, self.responses.served
        datagrams = seal_message(association, self, served.exchange, message_id, payloads, True)
        self.responses.complete(datagrams, self._size(association))
        association.outbox.trace(
            served.exchange, message_id, True, payloads, served.remote, sent=True
        )
        for octets in datagrams:
            association.send_to(octets, served.local, served.remote)

    def _repeat(self, association: Association, datagram: DatagramReceived, header: Header) -> None:
        try:
            check_repeated(association, self, datagram.octets, header)
        except Fault as fault:
            association.drop(str(fault))
            return
        for octets in self.responses.repeat(header.message_id, association.now):
            association.send_to(octets, datagram.local, datagram.remote)

    # Sealing.

    def _open(
        self,
        association: Association,
        datagram: DatagramReceived,
        header: Header,
        holder: Outstanding | ResponseWindow | Early,
    ) -> Opened | None:
        try:
            return open_message(association, self, holder, datagram.octets, header)
        except Fault as fault:
            association.drop(str(fault))
            return None

    def next_iv(self, association: Association) -> bytes:
        """A counter for counter modes, which must never repeat; else unpredictable octets."""
        cipher = self.suite.cipher
        if cipher.block_octets > 1:
            return association.surroundings.entropy.octets(cipher.iv_octets)
        self.iv_counter += 1
        return self.iv_counter.to_bytes(cipher.iv_octets, "big")

    def abandon(self, association: Association, reason: str) -> None:
        """Tell every exchange that is under way or waiting that no response will come."""
        outstanding = self.requests.abandoned()
        self.responses.forget_held()
        for timer in (Timer.RETRANSMIT, Timer.REASSEMBLY):
            association.timers.stop(timer, self.number)
        for one in outstanding:
            one.exchange.abandoned(association, reason)
        self.abandon_queue(association, reason)

    def abandon_queue(self, association: Association, reason: str) -> None:
        """Tell every exchange that is waiting for its turn that it will not have one."""
        waiting = tuple(self.queue)
        self.queue.clear()
        for exchange in waiting:
            exchange.abandoned(association, reason)


def error_of(payloads: Payloads) -> Notify | None:
    """The first error notification among the payloads, if there is one."""
    for payload in payloads:
        if isinstance(payload, Notify) and payload.type.is_error:
            return payload
    return None


# Which requests are served in which state: all others are dropped (RFC 7296 section 1.2).
_GATES = {
    IkeSaState.AUTHENTICATING: frozenset({ExchangeType.IKE_AUTH}),
    IkeSaState.ESTABLISHED: frozenset({ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL}),
    IkeSaState.REKEYED: frozenset({ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL}),
    IkeSaState.DELETING: frozenset({ExchangeType.CREATE_CHILD_SA, ExchangeType.INFORMATIONAL}),
}
