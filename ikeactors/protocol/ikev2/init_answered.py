"""The responder of IKE_SA_INIT between its answer and IKE_AUTH: it has proof of nothing yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.crypto.key_exchange import PrivateKey
from ikeactors.crypto.keys import skeyseed
from ikeactors.crypto.prf import prf_for
from ikeactors.crypto.suite import IkeSuite
from ikeactors.errors import InvalidKeyExchange, ProtocolFault
from ikeactors.iana import ExchangeType
from ikeactors.protocol.events import DatagramReceived
from ikeactors.protocol.ikev2.groups import is_slow
from ikeactors.protocol.ikev2.ike_sa import IkeSa, Spis
from ikeactors.protocol.ikev2.puzzles import auth_text, solved_bits
from ikeactors.protocol.ikev2.transcript import Transcript
from ikeactors.protocol.ikev2.window import RequestWindow, ResponseWindow
from ikeactors.protocol.settings import ConnectionSettings
from ikeactors.wire.header import HEADER_LENGTH, ZERO_SPI, Header
from ikeactors.wire.message import find
from ikeactors.wire.payload import PuzzleSolution, read_payloads
from ikeactors.wire.puzzles import Puzzle

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association

# Ours: repeated IKE_SA_INIT requests are answered at most this often, for a reply is larger.
MIN_REPEAT_INTERVAL = 0.5


class InitAnswered:
    """The responder's side: our answer is out, and the peer has proven nothing yet.

    The shared secret is computed only when IKE_AUTH comes, so that a flood of first messages
    from forged addresses costs us no more than our public value.
    """

    __slots__ = (
        "_ke",
        "_private",
        "_puzzle",
        "_repeated_at",
        "_spis",
        "_suite",
        "connections",
        "transcript",
    )

    def __init__(
        self,
        spis: Spis,
        suite: IkeSuite,
        private: PrivateKey,
        ke: bytes,
        transcript: Transcript,
        connections: tuple[ConnectionSettings, ...],
        puzzle: Puzzle | None,
    ) -> None:
        self._puzzle = puzzle
        self._spis = spis
        self._suite = suite
        self._private = private
        self._ke = ke
        self.transcript = transcript
        self.connections = connections
        self._repeated_at = float("-inf")

    @property
    def is_slow(self) -> bool:
        """Whether the next step computes a shared secret that is worth a worker."""
        return is_slow(self._suite.ke)

    def ended(self, association: Association, reason: str) -> None:
        """Nobody here asked for it."""

    @property
    def spis(self) -> Spis:
        """The SPIs of the IKE SA that is to be."""
        return self._spis

    def receive(self, association: Association, datagram: DatagramReceived, header: Header) -> None:
        """The first request again, or IKE_AUTH: then the keys are needed."""
        if header.spi_r == ZERO_SPI:
            self._repeat(association, datagram, header)
            return
        if header.exchange is not ExchangeType.IKE_AUTH or header.is_response:
            association.drop("only IKE_AUTH may follow IKE_SA_INIT")
            return
        if self._puzzle is not None and not self._is_solved(self._puzzle, datagram, header):
            association.drop("the puzzle of IKE_AUTH is not solved")
            return
        try:
            shared = self._private.exchange(self._ke)
        except InvalidKeyExchange as fault:
            text = f"the KE payload of {datagram.remote} is invalid: {fault}"
            association.turn_away(lambda: text)
            return
        nonce_i, nonce_r = self.transcript.nonce_i, self.transcript.nonce_r
        seed = skeyseed(self._suite.prf_function, nonce_i, nonce_r, shared)
        keys = seed.expand(self._suite, nonce_i, nonce_r, self._spis.spi_i, self._spis.spi_r)
        windows = RequestWindow(0), ResponseWindow(1)
        number = association.next_number()
        ike_sa = IkeSa(number, self._spis, self._suite, keys, windows)
        association.keyed(ike_sa, self.transcript, None)
        ike_sa.receive(association, datagram, header)

    def _is_solved(self, puzzle: Puzzle, datagram: DatagramReceived, header: Header) -> bool:
        """Whether the initiator has worked for the keys that it makes us compute (RFC 8019 section
        7.2.4)."""
        try:
            outer = read_payloads(
                header.next_payload, datagram.octets, HEADER_LENGTH, header.length
            )
        except ProtocolFault:
            return False
        solution = find(outer, PuzzleSolution)
        if solution is None:
            return False
        text = auth_text(self.transcript.nonce_r, self._spis.spi_r)
        return solved_bits(prf_for(puzzle.prf), text, solution.keys) >= puzzle.difficulty

    def _repeat(self, association: Association, datagram: DatagramReceived, header: Header) -> None:
        if datagram.octets[: header.length] != self.transcript.request:
            association.drop("another IKE_SA_INIT with the same SPI")
        elif association.now - self._repeated_at >= MIN_REPEAT_INTERVAL:
            self._repeated_at = association.now
            association.send_to(self.transcript.response, datagram.local, datagram.remote)
