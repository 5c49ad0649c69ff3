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
from ikeactors.protocol.ikev2.exchange import Answer, Exchange, Payloads
from ikeactors.protocol.ikev2.fragments import seal_message
from ikeactors.protocol.ikev2.installing import install_for_answer
from ikeactors.protocol.ikev2.paths import heard
from ikeactors.protocol.ikev2.protection import DirectionKeys, Opened
from ikeactors.protocol.ikev2.reassembly import check_repeated, open_message
from ikeactors.protocol.ikev2.retransmission import start_retransmitting
from ikeactors.protocol.ikev2.window import (
    Arrival,
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
        "created_at",
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
    )

    def __init__(
        self,
        number: int,
        spis: Spis,
        suite: IkeSuite,
        keys: IkeKeys,
        created_at: float,
        windows: tuple[RequestWindow, ResponseWindow],
    ) -> None:
        self.number = number
        self.spis = spis
        self.suite = suite
        self.keys = keys
        self.created_at = created_at
        self.state = IkeSaState.AUTHENTICATING
        self.requests, self.responses = windows
        # Nearly always empty: an empty list takes 56 octets, an empty deque 760.
        self.queue: list[Exchange] = []
        self.iv_counter = 0
        from_i = DirectionKeys(suite, keys.sk_ei, keys.sk_ai)
        from_r = DirectionKeys(suite, keys.sk_er, keys.sk_ar)
        self.outgoing, self.incoming = (
            (from_i, from_r) if spis.original_initiator else (from_r, from_i)
        )

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way in either direction."""
        return self.requests.outstanding is None and not self.queue and not self.responses.pending

    # Our requests.

    def ask(self, association: Association, exchange: Exchange) -> None:
        """Start an exchange, or queue it behind the one that is under way."""
        if len(self.queue) >= MAX_QUEUED:
            exchange.abandoned(association, "too many exchanges are waiting")
            return
        self.queue.append(exchange)
        self.send_next(association)

    def send_next(self, association: Association) -> None:
        """Send the next request if the window has room for it."""
        while self.queue and self.requests.outstanding is None:
            if self.requests.is_exhausted:
                association.fail("the message IDs of the IKE SA are used up")
                return
            exchange = self.queue.pop(0)
            payloads = exchange.request(association, self)
            if payloads is not None:
                self._send_request(association, exchange, payloads)

    def _send_request(
        self, association: Association, exchange: Exchange, payloads: Payloads
    ) -> None:
        message_id = self.requests.next_id
        kind = exchange.exchange
        datagrams = seal_message(association, self, kind, message_id, payloads, False)
        self.requests.sent(Outstanding(message_id, datagrams, exchange, payloads))
        association.outbox.trace(
            exchange.exchange, message_id, False, payloads, association.remote, sent=True
        )
        association.send(*datagrams)
        start_retransmitting(association, 0, self.number)

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
        outstanding = self.requests.outstanding
        if outstanding is None or header.message_id != outstanding.message_id:
            association.drop("a response to nothing asked")
            return
        if header.exchange is not outstanding.exchange.exchange:
            association.drop("a response of another exchange type")
            return
        opened = self._open(association, datagram, header, outstanding)
        if opened is None:
            return

        # Authenticated: from here on we may change.
        self.requests.answered()
        association.timers.stop(Timer.RETRANSMIT, self.number)
        heard(association, self, datagram)
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
        arrival = self.responses.classify(header.message_id)
        if arrival is Arrival.OUTSIDE:
            association.drop("a request outside of the window")
            return
        if arrival is Arrival.REPEATED:
            self._repeat(association, datagram, header)
            return
        opened = self._open(association, datagram, header, self.responses)
        if opened is None:
            return
        if not self._serves(header.exchange):
            association.drop(f"{header.exchange.name} on an IKE SA that is {self.state.value}")
            return

        # Authenticated: from here on we may change.
        served = Served(header.exchange, datagram.local, datagram.remote)
        self.responses.begin(header.message_id, served)
        heard(association, self, datagram)
        self._answer(association, header, opened)

    def _serves(self, exchange: ExchangeType) -> bool:
        """Only the original responder is asked to authenticate: its peer has only an answer."""
        if exchange is ExchangeType.IKE_AUTH and self.spis.original_initiator:
            return False
        return exchange in _GATES[self.state]

    def _answer(self, association: Association, header: Header, opened: Opened) -> None:
        try:
            payloads = opened.payloads()
            association.outbox.trace(
                header.exchange, header.message_id, False, payloads, association.remote, sent=False
            )
            answer = association.respond(self, header.exchange, opened, payloads)
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
        self.responses.complete(datagrams)
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
        for octets in self.responses.repeat(association.now):
            association.send_to(octets, datagram.local, datagram.remote)

    # Sealing.

    @staticmethod
    def _trace(
        association: Association,
        exchange: ExchangeType,
        message_id: int,
        is_response: bool,
        payloads: Payloads,
        *,
        sent: bool,
    ) -> None:
        remote = association.remote
        association.outbox.trace(exchange, message_id, is_response, payloads, remote, sent=sent)

    def _open(
        self,
        association: Association,
        datagram: DatagramReceived,
        header: Header,
        holder: Outstanding | ResponseWindow,
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
        outstanding = self.requests.outstanding
        self.requests.answered()
        self.responses.partial = None
        for timer in (Timer.RETRANSMIT, Timer.REASSEMBLY):
            association.timers.stop(timer, self.number)
        if outstanding is not None:
            outstanding.exchange.abandoned(association, reason)
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
