"""Admission: the only code that an unknown sender can reach.

It is stateless and cheap: one look at the header, at most two HMACs, four more for the solution of
a puzzle that we gave. What comes of it is a responder association, a small reply, or silence (RFC
7296 sections 2.5, 2.6 and 2.21.4).
"""

from __future__ import annotations

from dataclasses import dataclass

from ikeactors.crypto.prf import prf_for
from ikeactors.errors import Fault
from ikeactors.iana import ExchangeType, NotifyType, PayloadType
from ikeactors.protocol.allowance import Allowance
from ikeactors.protocol.entropy import Entropy
from ikeactors.protocol.events import DatagramReceived
from ikeactors.protocol.ikev2.cookies import Asker, Cookies
from ikeactors.protocol.ikev2.crash_detection import token_notify
from ikeactors.protocol.ikev2.puzzles import choose_prf, solved_bits
from ikeactors.protocol.tokens import TokenOf, no_token
from ikeactors.quick import quick
from ikeactors.wire.header import MAJOR_IKEV2, ZERO_SPI, Header, read_header
from ikeactors.wire.message import Message, find, notifies, only, read_message, write_message
from ikeactors.wire.payload import Nonce, Notify, PuzzleSolution, SecurityAssociation
from ikeactors.wire.puzzles import Puzzle, write_puzzle

# Ours: half-open IKE SAs in all, each of some 4 kB: more than any gateway's peers after a power
# cut, and memory that a flood cannot make us spend.
MAX_HALF_OPEN = 10_000
# The specification's: under attack too, a peer has the time for a round trip and its computations
# (RFC 8019 section 4.1).
MIN_HALF_OPEN_TIMEOUT = 2.0
# Ours: so many times `cookie_threshold` half-open IKE SAs, and none is kept longer than that.
FULL_ATTACK = 10.0
# Ours: bits by which puzzles get harder: four times the work, and by default no more than our own
# initiators do.
MAX_HARDER = 2
# Ours: bits of a puzzle in IKE_AUTH: some milliseconds of an attacker's, where the shared secret
# and the keys are one of ours.
AUTH_DIFFICULTY = 12
# Ours: bits that a solution may lack because puzzles have got harder while it was looked for.
LENIENCE = 1
# Ours: peers a second who return a cookie and know no puzzles; with the shortest time for half-open
# IKE SAs they are ten at once.
# Deviation: the chance of a request is what is left of these, where the RFC has a lottery: with as
# many requests it comes to the same, and it needs no chance (RFC 8019 section 7.1.5).
UNSOLVED_PER_SECOND = 5.0
UNSOLVED_AT_ONCE = 5.0
# Ours: octets by which a reply with a token may be larger than the request: that of an empty one.
MAX_GROWTH = 8
NOT_SOLVED = "puzzle not solved"
_ENCRYPTED = (PayloadType.SK, PayloadType.SKF)


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """Half-open IKE SAs: from when on cookies are asked for, and when an address is refused.

    0 is never, as in the configuration.
    """

    cookie_threshold: int = 30
    cookie_threshold_ip: int = 3
    block_threshold: int = 5
    half_open_timeout: float = 30.0
    puzzle_threshold: int = 0
    puzzle_difficulty: int = 14

    def difficulty_among(self, half_open: int, *, is_suspect: bool = False) -> int:
        """How many bits a puzzle has among so many, one more each time they double; 0 is no
        puzzle (RFC 8019 section 7.1.1.1)."""
        if is_suspect:
            half_open = max(half_open, self.puzzle_threshold)
        if not _is_reached(half_open, self.puzzle_threshold):
            return 0
        doubled = (half_open // self.puzzle_threshold).bit_length() - 1
        return self.puzzle_difficulty + min(doubled, MAX_HARDER)

    def auth_difficulty_among(self, half_open: int) -> int:
        """How many bits a puzzle of IKE_AUTH has: only where there are puzzles before it, and no
        more than those. It is to cost some more than the keys cost us (RFC 8019 section
        7.2.1.1)."""
        return min(self.difficulty_among(half_open), AUTH_DIFFICULTY)

    def timeout_among(self, half_open: int) -> float:
        """How long a new half-open IKE SA among so many is kept (RFC 8019 section 4.1)."""
        if not _is_reached(half_open, self.cookie_threshold):
            return self.half_open_timeout
        excess = half_open / self.cookie_threshold - 1.0
        share = min(excess / (FULL_ATTACK - 1.0), 1.0)
        least = min(MIN_HALF_OPEN_TIMEOUT, self.half_open_timeout)
        return self.half_open_timeout - share * (self.half_open_timeout - least)


@dataclass(frozen=True, slots=True)
class Admitted:
    """Make a responder association and give it the datagram."""


@quick
class Refused:
    """Send `reply` if there is one, and count the reason."""

    reason: str
    reply: bytes | None = None


class Admission:
    """Decides about datagrams whose SPI is of no association."""

    __slots__ = ("_cookies", "_refusals", "_token_of", "_unsolved", "limits")

    def __init__(
        self,
        entropy: Entropy,
        limits: AdmissionLimits,
        refusals: Allowance,
        token_of: TokenOf = no_token,
    ) -> None:
        self.limits = limits
        self._refusals = refusals
        self._token_of = token_of
        self._unsolved = Allowance(UNSOLVED_PER_SECOND, UNSOLVED_AT_ONCE)
        self._cookies = Cookies(entropy)

    def consider(
        self,
        datagram: DatagramReceived,
        half_open: int,
        half_open_of_address: int,
        now: float,
        *,
        is_suspect: bool = False,
    ) -> Admitted | Refused:
        """Admit a first request, or say what else is to be done with the datagram.

        `half_open` counts the half-open IKE SAs of all peers, `half_open_of_address` those of
        the sender's address, which is suspect where others have failed to prove themselves: from
        there one at a time is admitted, by a cookie, and by a puzzle where there are any (RFC 8019
        section 4.2).
        """
        try:
            header = read_header(datagram.octets)
        except Fault:
            return Refused("malformed header")
        refused = self._misfit(header, now)
        if refused is not None:
            return refused
        limits = self.limits
        if half_open >= MAX_HALF_OPEN:
            return Refused("too many half-open IKE SAs")
        if _is_reached(half_open_of_address, 1 if is_suspect else limits.block_threshold):
            return Refused("too many half-open IKE SAs of one address")
        difficulty = limits.difficulty_among(half_open, is_suspect=is_suspect)
        if (
            difficulty
            or is_suspect
            or _is_reached(half_open, limits.cookie_threshold)
            or _is_reached(half_open_of_address, limits.cookie_threshold_ip)
        ):
            return self._demand(datagram, header, difficulty, now)
        return Admitted()

    def _misfit(self, header: Header, now: float) -> Refused | None:
        """Why this is no first request of IKEv2, if it is none.

        Only what may be of an IKE SA that we have lost is answered; a hint in clear is not, lest
        two ends go on answering each other (RFC 7296 section 1.5).
        """
        if header.major > MAJOR_IKEV2:
            if header.is_response:
                return Refused("response of a newer version")
            return self._reply("newer version", header, NotifyType.INVALID_MAJOR_VERSION, now)
        if header.major < MAJOR_IKEV2:
            return Refused("older version")
        if header.is_response:
            return Refused("response to nothing asked")
        if header.spi_i == ZERO_SPI:
            return Refused("initiator's SPI is zero")
        if header.exchange is not ExchangeType.IKE_SA_INIT:
            if header.next_payload not in _ENCRYPTED:
                return Refused("unprotected, and of an unknown SPI")
            return self._reply(
                "unknown SPI", header, NotifyType.INVALID_IKE_SPI, now, self._token(header)
            )
        if header.spi_r != ZERO_SPI or header.message_id or not header.from_original_initiator:
            return Refused("IKE_SA_INIT that is no first request")
        return None

    def _token(self, header: Header) -> tuple[Notify, ...]:
        """What proves that we have nothing of this IKE SA, if it ever was one of ours (RFC 6290
        section 4.5)."""
        ours = not header.from_original_initiator
        token = self._token_of(header.spi_i, header.spi_r, ours)
        return (token_notify(token),) if token else ()

    def _reply(
        self,
        reason: str,
        header: Header,
        notify: NotifyType,
        now: float,
        more: tuple[Notify, ...] = (),
    ) -> Refused:
        """An unprotected error, not too often and never larger than what it answers; with a token
        a little, for the smallest of requests."""
        if not self._refusals.take(now):
            return Refused(f"{reason}, too many replies")
        message = Message(
            header.spi_i,
            header.spi_r,
            header.exchange,
            header.message_id,
            True,
            not header.from_original_initiator,
            (Notify(notify, _data_of(notify)), *more),
        )
        octets = write_message(message)
        limit = header.length + MAX_GROWTH if more else header.length
        return Refused(reason, octets if len(octets) <= limit else None)

    # Cookies and puzzles (RFC 8019 section 7.1.4).

    def _demand(
        self, datagram: DatagramReceived, header: Header, difficulty: int, now: float
    ) -> Admitted | Refused:
        """Whoever has returned a cookie and solved its puzzle is in; else there is a new one."""
        try:
            message = read_message(datagram.octets)
            asker = Asker(message.spi_i, datagram.remote, only(message.payloads, Nonce).data)
            offer = only(message.payloads, SecurityAssociation).proposals
        except Fault:
            return Refused("malformed IKE_SA_INIT request")
        missing = self._missing(message, asker, difficulty, now)
        if not missing:
            return Admitted()
        if missing == NOT_SOLVED:
            return Refused(missing)
        puzzle = None
        if difficulty:
            prf = choose_prf(offer)
            if prf is None:
                return self._reply("no PRF in common", header, NotifyType.NO_PROPOSAL_CHOSEN, now)
            puzzle = Puzzle(prf, difficulty)
        reply = _demanding(message.spi_i, self._cookies.make(asker, puzzle, now), puzzle)
        return Refused(missing, reply if len(reply) <= len(datagram.octets) else None)

    def _missing(self, message: Message, asker: Asker, difficulty: int, now: float) -> str:
        """Why a request is not served yet; empty when it is."""
        cookies = notifies(message.payloads, NotifyType.COOKIE)
        cookie = cookies[0].data if cookies else b""
        given = self._cookies.given_with(cookie, asker, now)
        if given is None:
            return "cookie asked for" if not difficulty else "puzzle given"
        if not difficulty:
            return ""
        if not given.difficulty:
            return "puzzle given"
        solution = find(message.payloads, PuzzleSolution)
        if solution is None:
            return "" if self._unsolved.take(now) else NOT_SOLVED
        bits = solved_bits(prf_for(given.prf), cookie, solution.keys)
        if bits < given.difficulty:
            return "puzzle solved wrongly"
        # Who has solved more than was asked is served when others are asked for more.
        if bits < difficulty - LENIENCE:
            return "harder puzzle given"
        return "" if self._cookies.spend(cookie) else "puzzle's solution used up"


def _demanding(spi_i: bytes, cookie: bytes, puzzle: Puzzle | None) -> bytes:
    payloads = [Notify(NotifyType.COOKIE, cookie)]
    if puzzle is not None:
        payloads.append(Notify(NotifyType.PUZZLE, write_puzzle(puzzle)))
    exchange = ExchangeType.IKE_SA_INIT
    return write_message(Message(spi_i, ZERO_SPI, exchange, 0, True, False, tuple(payloads)))


def _is_reached(count: int, threshold: int) -> bool:
    return 0 < threshold <= count


def _data_of(notify: NotifyType) -> bytes:
    """INVALID_MAJOR_VERSION carries the highest version we speak (RFC 7296 section 2.5)."""
    return bytes((MAJOR_IKEV2 << 4,)) if notify is NotifyType.INVALID_MAJOR_VERSION else b""
