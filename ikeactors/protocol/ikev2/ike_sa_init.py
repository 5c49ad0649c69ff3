"""IKE_SA_INIT, both roles (RFC 7296 section 1.2).

    Initiator                         Responder
    -------------------------------------------------------------------
    HDR, SAi1, KEi, Ni  -->
                                 <--  HDR, SAr1, KEr, Nr, [CERTREQ]

With a cookie (section 2.6) or another group (section 2.7) there are more round trips. Nothing
here is authenticated yet: an error in an answer is remembered, and a good answer still awaited
for a while (section 2.21.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.crypto.key_exchange import key_exchange_for
from ikeactors.crypto.keys import skeyseed
from ikeactors.crypto.suite import IkeSuite
from ikeactors.errors import (
    InvalidKePayload,
    InvalidKeyExchange,
    InvalidSyntax,
    NoProposalChosen,
    ProtocolFault,
    UnsupportedCriticalPayload,
)
from ikeactors.iana import ExchangeType, NotifyType
from ikeactors.protocol.choosing import check_choice, numbered
from ikeactors.protocol.events import DatagramReceived
from ikeactors.protocol.ikev2 import childless, fragments, ppk, public_keys, rounds
from ikeactors.protocol.ikev2.authentication import OVERTAKEN, is_overtaken
from ikeactors.protocol.ikev2.candidates import choose_by_offer
from ikeactors.protocol.ikev2.demands import Demand, Demands, demand_of, puzzle_of_auth
from ikeactors.protocol.ikev2.explaining import refused_init
from ikeactors.protocol.ikev2.groups import GroupChoice, offered_groups, private_key
from ikeactors.protocol.ikev2.ike_sa import IkeSa, Spis, error_of
from ikeactors.protocol.ikev2.init_answered import InitAnswered
from ikeactors.protocol.ikev2.nat import answer_detection, detect, detection_notifies
from ikeactors.protocol.ikev2.requests import Request
from ikeactors.protocol.ikev2.retransmission import (
    report_retransmission,
    silence,
    start_retransmitting,
)
from ikeactors.protocol.ikev2.transcript import NONCE_OCTETS, Transcript, check_nonce
from ikeactors.protocol.ikev2.window import RequestWindow, ResponseWindow
from ikeactors.protocol.settings import ChildSettings
from ikeactors.protocol.timers import Timer
from ikeactors.wire.header import ZERO_SPI, Header
from ikeactors.wire.message import Message, only, read_message, write_message
from ikeactors.wire.payload import KeyExchange, Nonce, Notify, Payload, SecurityAssociation
from ikeactors.wire.puzzles import write_puzzle

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association


# Ours: corrective answers (another group, a cookie) we follow before we give up, so that no
# answer can keep us busy for ever. Four round trips are the most the RFC needs (section 2.6.1).
MAX_CORRECTIONS = 4
# Ours: how long we go on waiting for a good answer after an error that nobody authenticated.
ERROR_PATIENCE = 4.0


class InitSent:
    """The initiator's side: the request is out, its answer awaited."""

    __slots__ = (
        "_corrections",
        "_group",
        "_nonce",
        "_octets",
        "_offer",
        "_private",
        "_spi",
        "_tries",
        "demands",
        "refusal",
        "request",
        "wanted",
    )

    def __init__(
        self, association: Association, wanted: tuple[ChildSettings, ...], request: Request
    ) -> None:
        self.wanted = wanted
        self.request = request
        self._spi = association.surroundings.choose_ike_spi()
        self._nonce = association.surroundings.entropy.octets(NONCE_OCTETS)
        self._offer = numbered(association.connection.proposals, b"")
        self._group = GroupChoice(offered_groups(self._offer)[0])
        self._private = private_key(association.surroundings.entropy, self._group.method)
        self.demands = Demands()
        self._corrections = 0
        self._octets = b""
        self._tries = 0
        self.refusal = ""

    @property
    def spi(self) -> bytes:
        """The SPI we chose."""
        return self._spi

    def join(self, wanted: tuple[ChildSettings, ...], request_id: int | None) -> None:
        """Somebody else asks for the same IKE SA meanwhile: she hears when it is decided."""
        self.request.joined(request_id)
        missing = [child for child in wanted if child not in self.wanted]
        self.wanted += tuple(missing)
        for _ in missing:
            self.request.add_part()

    def ended(self, association: Association, reason: str) -> None:
        """Whoever asked for it hears why it did not come about."""
        self.request.fail(association, reason)

    def send(self, association: Association) -> None:
        """Send the request, or the corrected request, for the first time."""
        payloads = self._payloads(association)
        message = Message(self._spi, ZERO_SPI, ExchangeType.IKE_SA_INIT, 0, False, True, payloads)
        self._octets = write_message(message)
        self._tries = 0
        association.outbox.trace_clear(message, association.remote, sent=True)
        association.send(self._octets)
        start_retransmitting(association, self._tries)

    def _payloads(self, association: Association) -> tuple[Payload, ...]:
        local, remote, feign = association.local, association.remote, association.feigns_nat
        return (
            *self.demands.payloads,
            SecurityAssociation(self._offer),
            KeyExchange(self._group.method, self._private.public),
            Nonce(self._nonce),
            *detection_notifies(self._spi, ZERO_SPI, local, remote, feign),
            *fragments.announcement(association),
            *public_keys.announcement((association.connection,)),
            *ppk.offered(association),
        )

    def retransmit(self, association: Association) -> None:
        """No answer yet: the same octets again, or the end."""
        self._tries += 1
        if is_overtaken(association):
            self.request.leave()
            association.close(OVERTAKEN)
            return
        if self._tries > association.connection.retransmission.tries:
            association.fail(self.refusal or silence(association, "IKE_SA_INIT", self._tries))
            return
        report_retransmission(association, "IKE_SA_INIT", self._tries)
        association.send(self._octets)
        start_retransmitting(association, self._tries)

    def receive(self, association: Association, datagram: DatagramReceived, header: Header) -> None:
        """An answer: a correction to follow, an error to remember, or the peer's half."""
        if not (
            header.is_response
            and header.exchange is ExchangeType.IKE_SA_INIT
            and header.message_id == 0
            and header.spi_i == self._spi
            and not header.from_original_initiator
        ):
            association.drop("not an answer to IKE_SA_INIT")
            return
        try:
            message = read_message(datagram.octets)
            association.outbox.trace_clear(message, association.remote, sent=False)
            if not self._corrected(association, message):
                self._complete(association, datagram, message, header.length)
        except (ProtocolFault, InvalidKeyExchange) as fault:
            self._refused(association, f"the peer's IKE_SA_INIT response is no use: {fault}")

    def _corrected(self, association: Association, message: Message) -> bool:
        """Follow a correction or remember an error; False when this is neither."""
        if demand := demand_of(message.payloads):
            self._follow_demand(association, demand)
            return True
        error = error_of(message.payloads)
        if error is None:
            return False
        if error.type is NotifyType.INVALID_KE_PAYLOAD:
            self._follow_group(association, error.data)
        else:
            self._refused(association, refused_init(association, error.type, self._offer))
        return True

    def _follow_demand(self, association: Association, demand: Demand) -> None:
        if self._corrections >= MAX_CORRECTIONS:
            association.drop("the peer has demanded too much")
        elif self.demands.follow(association, demand, self._offer):
            self._correct(association, "the peer asks for a cookie")

    def solve(self, association: Association) -> None:
        """Work on the peer's puzzle for a while."""
        if self.demands.solve(association):
            self._correct(association, "the peer asked for a puzzle to be solved")

    def _follow_group(self, association: Association, data: bytes) -> None:
        """Another group: only one that we offered, and never the same again (section 1.2)."""
        if data == self._group.method.to_bytes(2, "big") and self._corrections:
            association.drop("INVALID_KE_PAYLOAD came again")
            return
        if not self._group.corrected(data, self._offer):
            self._refused(
                association,
                f"the peer {association.remote} answered INVALID_KE_PAYLOAD and names no group "
                f"that we offered and have not tried (its data: {data[:8].hex() or 'none'})",
            )
            return
        self._private = private_key(association.surroundings.entropy, self._group.method)
        self._correct(association, f"the peer asks for {self._group.method.name}")

    def _correct(self, association: Association, reason: str) -> None:
        self._corrections += 1
        if self._corrections > MAX_CORRECTIONS:
            association.drop("the peer has asked for too many corrections")
            return
        association.report("ike-sa-init-corrected", f"{reason}: trying again")
        self.send(association)

    def unsent(self, association: Association, reason: str) -> None:
        """Our own host could not send: that will hardly change by waiting."""
        self._refused(
            association, f"cannot send from {association.local} to {association.remote}: {reason}"
        )

    def _refused(self, association: Association, reason: str) -> None:
        """Remember an error that anybody could have sent, and wait on for a good answer."""
        if self.refusal:
            return
        self.refusal = reason
        association.report("ike-sa-init-refused", reason)
        association.timers.start(Timer.ERROR_PATIENCE, association.now + ERROR_PATIENCE)

    def _complete(
        self, association: Association, datagram: DatagramReceived, message: Message, length: int
    ) -> None:
        if message.spi_r == ZERO_SPI:
            raise InvalidSyntax("the responder's SPI is zero")
        if message.spi_r == self._spi:
            raise InvalidSyntax("our own SPI came back")
        ppk.check_answer(association, message.payloads)
        choice = check_choice(only(message.payloads, SecurityAssociation).proposals, self._offer)
        suite = IkeSuite.from_proposal(choice)
        exchanged = only(message.payloads, KeyExchange)
        if {exchanged.method, suite.ke} != {self._group.method}:
            raise InvalidSyntax("the responder's KE payload is of another group than chosen")
        nonce_r = only(message.payloads, Nonce).data
        check_nonce(nonce_r, suite.prf_function)
        if nonce_r == self._nonce:
            raise InvalidSyntax("our own nonce came back")
        seed = skeyseed(
            suite.prf_function, self._nonce, nonce_r, self._private.exchange(exchanged.data)
        )
        spis = Spis(self._spi, message.spi_r, True)
        keys = seed.expand(suite, self._nonce, nonce_r, spis.spi_i, spis.spi_r)
        nat = detect(
            message.payloads, spis.spi_i, spis.spi_r, association.local, association.remote
        )
        fragments.agree(association, message.payloads)
        transcript = Transcript(self._octets, datagram.octets[:length], self._nonce, nonce_r)
        windows = RequestWindow(1), ResponseWindow(0)
        ike_sa = IkeSa(association.next_number(), spis, suite, keys, windows)
        association.keyed(ike_sa, transcript, nat)


def respond(association: Association, datagram: DatagramReceived) -> None:
    """Answer an IKE_SA_INIT request; refusals leave no state (RFC 7296 section 2.21.1)."""
    try:
        message = read_message(datagram.octets)
        association.outbox.trace_clear(message, association.remote, sent=False)
        _respond(association, datagram, message)
    except (NoProposalChosen, InvalidKePayload, UnsupportedCriticalPayload) as fault:
        _refuse(association, datagram.octets[:8], fault)
    except ProtocolFault as fault:
        association.drop(f"a malformed IKE_SA_INIT request: {fault}")
        association.close("")


def _refuse(association: Association, spi_i: bytes, fault: ProtocolFault) -> None:
    """Tell a stranger no, as often as strangers are told anything."""
    if association.surroundings.refusals.take(association.now):
        notify = (Notify(fault.notify, fault.data),)
        refusal = Message(spi_i, ZERO_SPI, ExchangeType.IKE_SA_INIT, 0, True, False, notify)
        association.outbox.trace_clear(refusal, association.remote, sent=True)
        association.send(write_message(refusal))
    if isinstance(fault, InvalidKePayload):
        association.close("")
    else:
        association.turn_away(lambda: f"IKE_SA_INIT of {association.remote} refused: {fault}")


def _respond(association: Association, datagram: DatagramReceived, message: Message) -> None:
    offered = only(message.payloads, SecurityAssociation).proposals
    exchanged = only(message.payloads, KeyExchange)
    nonce_i = only(message.payloads, Nonce).data
    if any(proposal.spi for proposal in offered):
        raise InvalidSyntax("a proposal of a first IKE SA has an SPI")
    candidates = association.settings.candidates(datagram.local.address, datagram.remote.address)
    if not candidates:
        raise NoProposalChosen(
            f"no connection is configured for a peer {datagram.remote.address} "
            f"at our {datagram.local.address}"
        )
    connections, choice = choose_by_offer(candidates, offered, exchanged.method)
    association.connection = connections[0]
    suite = IkeSuite.from_proposal(choice)
    if suite.ke != exchanged.method:
        raise InvalidKePayload(f"{suite.ke.name} is wanted", suite.ke.to_bytes(2, "big"))
    check_nonce(nonce_i, suite.prf_function)
    if len(exchanged.data) != key_exchange_for(suite.ke).public_octets:
        raise InvalidSyntax("the KE payload's length is not that of the group")
    spis = Spis(message.spi_i, association.surroundings.choose_ike_spi(), False)
    nonce_r = association.surroundings.entropy.octets(NONCE_OCTETS)
    private = private_key(association.surroundings.entropy, suite.ke)
    puzzle = puzzle_of_auth(association, message.payloads, offered)
    payloads: tuple[Payload, ...] = (
        SecurityAssociation((choice,)),
        KeyExchange(suite.ke, private.public),
        Nonce(nonce_r),
        *answer_detection(association, message, spis),
        *fragments.answer(association, message.payloads),
        *childless.announcement(connections),
        *public_keys.answer(association, connections, message.payloads),
        *rounds.offered(connections),
        *ppk.answered(association, connections, message.payloads),
        *((Notify(NotifyType.PUZZLE, write_puzzle(puzzle)),) if puzzle else ()),
    )
    answer = Message(spis.spi_i, spis.spi_r, ExchangeType.IKE_SA_INIT, 0, True, False, payloads)
    response = write_message(answer)
    length = int.from_bytes(datagram.octets[24:28], "big")
    transcript = Transcript(datagram.octets[:length], response, nonce_i, nonce_r)
    association.answered_init(
        InitAnswered(spis, suite, private, exchanged.data, transcript, connections, puzzle)
    )
    association.outbox.trace_clear(answer, association.remote, sent=True)
    association.send(response)
