"""Admission: the only code that an unknown sender can reach.

It is stateless and cheap: one look at the header, at most one HMAC. What comes of it is a
responder association, a small reply, or silence (RFC 7296 sections 2.5, 2.6 and 2.21.4).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from ikeactors.errors import Fault
from ikeactors.iana import ExchangeType, NotifyType
from ikeactors.protocol.allowance import Allowance
from ikeactors.protocol.entropy import Entropy
from ikeactors.protocol.events import DatagramReceived
from ikeactors.quick import quick
from ikeactors.wire.header import MAJOR_IKEV2, ZERO_SPI, Header, read_header
from ikeactors.wire.message import Message, find, notifies, read_message, write_message
from ikeactors.wire.payload import Nonce, Notify

# Ours: a cookie is good for one to two of these, so a slow path can still return it.
SECRET_LIFETIME = 60.0
SECRET_OCTETS = 32
# Ours: half-open IKE SAs in all, each of some 4 kB: more than any gateway's peers after a power
# cut, and memory that a flood cannot make us spend.
MAX_HALF_OPEN = 10_000
# The specification's: under attack too, a peer has the time for a round trip and its computations
# (RFC 8019 section 4.1).
MIN_HALF_OPEN_TIMEOUT = 2.0
# Ours: so many times `cookie_threshold` half-open IKE SAs, and none is kept longer than that.
FULL_ATTACK = 10.0
# Ours: the first octet of a cookie tells which secret made it.
_VERSIONS = 256


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """Half-open IKE SAs: from when on cookies are asked for, and when an address is refused.

    0 is never, as in the configuration.
    """

    cookie_threshold: int = 30
    cookie_threshold_ip: int = 3
    block_threshold: int = 5
    half_open_timeout: float = 30.0

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
@dataclass(frozen=True, slots=True)
class Refused:
    """Send `reply` if there is one, and count the reason."""

    reason: str
    reply: bytes | None = None


@dataclass(frozen=True, slots=True)
class _Secret:
    """What cookies are made with, and from when on."""

    version: int
    made_at: float
    key: bytes = field(repr=False)


class Admission:
    """Decides about datagrams whose SPI is of no association."""

    __slots__ = ("_entropy", "_former", "_refusals", "_secret", "limits")

    def __init__(self, entropy: Entropy, limits: AdmissionLimits, refusals: Allowance) -> None:
        self.limits = limits
        self._refusals = refusals
        self._entropy = entropy
        self._secret = _Secret(0, float("-inf"), b"")
        self._former = self._secret

    def consider(
        self,
        datagram: DatagramReceived,
        half_open: int,
        half_open_of_address: int,
        now: float,
    ) -> Admitted | Refused:
        """Admit a first request, or say what else is to be done with the datagram.

        `half_open` counts the half-open IKE SAs of all peers, `half_open_of_address` those of
        the sender's address.
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
        if _is_reached(half_open_of_address, limits.block_threshold):
            return Refused("too many half-open IKE SAs of one address")
        if _is_reached(half_open, limits.cookie_threshold) or _is_reached(
            half_open_of_address, limits.cookie_threshold_ip
        ):
            return self._ask_for_cookie(datagram, now)
        return Admitted()

    def _misfit(self, header: Header, now: float) -> Refused | None:
        """Why this is no first request of IKEv2, if it is none."""
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
            return self._reply("unknown SPI", header, NotifyType.INVALID_IKE_SPI, now)
        if header.spi_r != ZERO_SPI or header.message_id or not header.from_original_initiator:
            return Refused("IKE_SA_INIT that is no first request")
        return None

    def _reply(self, reason: str, header: Header, notify: NotifyType, now: float) -> Refused:
        """An unprotected error, never larger than what it answers nor too often."""
        if not self._refusals.take(now):
            return Refused(f"{reason}, too many replies")
        message = Message(
            header.spi_i,
            header.spi_r,
            header.exchange,
            header.message_id,
            True,
            not header.from_original_initiator,
            (Notify(notify, _data_of(notify)),),
        )
        octets = write_message(message)
        return Refused(reason, octets if len(octets) <= header.length else None)

    # Cookies (RFC 7296 section 2.6).

    def _ask_for_cookie(self, datagram: DatagramReceived, now: float) -> Admitted | Refused:
        try:
            message = read_message(datagram.octets)
        except Fault:
            return Refused("malformed IKE_SA_INIT request")
        nonce = find(message.payloads, Nonce)
        if nonce is None:
            return Refused("malformed IKE_SA_INIT request")
        self._rotate(now)
        cookies = notifies(message.payloads, NotifyType.COOKIE)
        if cookies and self._is_good(cookies[0].data, datagram, message.spi_i, nonce.data, now):
            return Admitted()
        cookie = _cookie(self._secret, datagram, message.spi_i, nonce.data)
        answer = Message(
            message.spi_i,
            ZERO_SPI,
            ExchangeType.IKE_SA_INIT,
            0,
            True,
            False,
            (Notify(NotifyType.COOKIE, cookie),),
        )
        octets = write_message(answer)
        return Refused("cookie asked for", octets if len(octets) <= len(datagram.octets) else None)

    def _is_good(
        self, cookie: bytes, datagram: DatagramReceived, spi_i: bytes, nonce: bytes, now: float
    ) -> bool:
        for secret in (self._secret, self._former):
            if secret.key and cookie[:1] == bytes((secret.version,)):
                return hmac.compare_digest(cookie, _cookie(secret, datagram, spi_i, nonce))
        return False

    def _rotate(self, now: float) -> None:
        if now - self._secret.made_at < SECRET_LIFETIME:
            return
        still_good = now - self._secret.made_at < 2 * SECRET_LIFETIME
        self._former = self._secret if still_good else _Secret(0, float("-inf"), b"")
        version = (self._secret.version + 1) % _VERSIONS
        self._secret = _Secret(version, now, self._entropy.octets(SECRET_OCTETS))


def _cookie(secret: _Secret, datagram: DatagramReceived, spi_i: bytes, nonce: bytes) -> bytes:
    """The secret's version and a MAC over Ni, the sender's address and port, and SPIi."""
    remote = datagram.remote
    octets = nonce + remote.address.packed + remote.port.to_bytes(2, "big") + spi_i
    return bytes((secret.version,)) + hmac.digest(secret.key, octets, hashlib.sha256)


def _is_reached(count: int, threshold: int) -> bool:
    return 0 < threshold <= count


def _data_of(notify: NotifyType) -> bytes:
    """INVALID_MAJOR_VERSION carries the highest version we speak (RFC 7296 section 2.5)."""
    return bytes((MAJOR_IKEV2 << 4,)) if notify is NotifyType.INVALID_MAJOR_VERSION else b""
