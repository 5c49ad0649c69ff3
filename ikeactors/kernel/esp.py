"""ESP packets in tunnel mode: sealing and opening (RFC 4303), counters and lifetimes.

    SPI | sequence number | IV | ciphertext of (inner packet | padding | length | next header) | ICV

No socket and no clock here: the userspace data plane carries the packets.
"""

from __future__ import annotations

import enum
import errno
import struct
from collections.abc import Callable

from ikeactors.errors import Fault, InvalidSyntax
from ikeactors.iana import Encr, ProtocolId
from ikeactors.kernel.replay import MAX_REPLAY_WINDOW, ReplayWindow
from ikeactors.kernel.requests import KernelRefusal, Lifetime, Mode, SaRequest

# Specification (RFC 4303 section 2).
IPV4_IN_IP = 4
IPV6_IN_IP = 41
NO_NEXT_HEADER = 59
_HEADER = struct.Struct("!II")
_TRAILER_OCTETS = 2
_ALIGNMENT = 4
_PADDING = bytes(range(1, 256))
_LAST_SEQUENCE = 0xFFFFFFFF
_LAST_EXTENDED_SEQUENCE = 0xFFFFFFFFFFFFFFFF


class SequenceExhausted(Fault):
    """All sequence numbers of an SA are used up: it must be rekeyed (RFC 4303 section 3.3.3)."""


class SaOver(Fault):
    """The hard limit of an SA's octets or packets is reached."""


class Expiry(enum.Enum):
    """Which of its limits an SA has come to."""

    SOFT = "soft"
    HARD = "hard"


class Usage:
    """What has gone through an SA, held against its limits (RFC 4301 section 4.4.2.1)."""

    __slots__ = ("_crossed", "_limits", "_soft_told", "is_over", "octets", "packets")

    def __init__(self, limits: Lifetime) -> None:
        self.octets = 0
        self.packets = 0
        self.is_over = False
        self._limits = limits
        self._soft_told = False
        self._crossed: Expiry | None = None

    def count(self, octets: int) -> None:
        """One more packet of `octets`."""
        self.octets += octets
        self.packets += 1
        limits = self._limits
        if _reached(self.octets, limits.hard_bytes) or _reached(self.packets, limits.hard_packets):
            self.is_over = True
            self._crossed = Expiry.HARD
        elif not self._soft_told and (
            _reached(self.octets, limits.soft_bytes) or _reached(self.packets, limits.soft_packets)
        ):
            self._soft_told = True
            self._crossed = Expiry.SOFT

    def take_crossed(self) -> Expiry | None:
        """The limit that was crossed since the last call, once."""
        crossed, self._crossed = self._crossed, None
        return crossed


class OutboundSa:
    """Seals packets. `entropy` gives the unpredictable IVs that CBC needs."""

    __slots__ = (
        "_counts_iv",
        "_entropy",
        "_esn",
        "_is_aead",
        "_iv_octets",
        "_keyed",
        "_last",
        "_padded_to",
        "_spi",
        "sequence",
        "usage",
    )

    def __init__(self, request: SaRequest, entropy: Callable[[int], bytes]) -> None:
        _refuse_what_is_not_here(request)
        cipher = request.suite.cipher
        self.usage = Usage(request.lifetime)
        self.sequence = 0
        self._spi = request.spi
        self._esn = request.suite.esn
        self._last = _LAST_EXTENDED_SEQUENCE if self._esn else _LAST_SEQUENCE
        self._keyed = cipher.keyed(request.encr_key, request.integ_key)
        self._iv_octets = cipher.iv_octets
        self._is_aead = cipher.is_aead
        self._padded_to = max(_ALIGNMENT, cipher.block_octets)
        self._counts_iv = cipher.encr not in _RANDOM_IV
        self._entropy = entropy

    def seal(self, inner: bytes) -> bytes:
        """The ESP packet around an IPv4 or IPv6 packet."""
        if self.usage.is_over:
            raise SaOver("the hard limit of the SA is reached")
        if self.sequence >= self._last:
            raise SequenceExhausted("all sequence numbers of the SA are used")
        self.sequence += 1
        sequence = self.sequence
        header = _HEADER.pack(self._spi, sequence & _LAST_SEQUENCE)
        associated, trailer = _authenticated(header, sequence, self._esn, self._is_aead)
        # The sequence number makes IVs of counter modes unique (RFC 4106 section 3.1).
        iv = sequence.to_bytes(8, "big") if self._counts_iv else self._entropy(self._iv_octets)
        iv = iv[: self._iv_octets]
        plaintext = inner + self._padding(len(inner), IP_VERSIONS[inner[0] >> 4])
        self.usage.count(len(inner))
        return b"".join((header, iv, self._keyed.seal(iv, plaintext, associated, trailer)))

    def _padding(self, length: int, next_header: int) -> bytes:
        count = -(length + _TRAILER_OCTETS) % self._padded_to
        return _PADDING[:count] + bytes((count, next_header))


class InboundSa:
    """Opens packets, each sequence number once."""

    __slots__ = ("_esn", "_is_aead", "_iv_end", "_keyed", "_shortest", "_window", "usage")

    def __init__(self, request: SaRequest) -> None:
        _refuse_what_is_not_here(request)
        cipher = request.suite.cipher
        self.usage = Usage(request.lifetime)
        self._esn = request.suite.esn
        self._is_aead = cipher.is_aead
        self._keyed = cipher.keyed(request.encr_key, request.integ_key)
        self._iv_end = _HEADER.size + cipher.iv_octets
        self._shortest = self._iv_end + _TRAILER_OCTETS + cipher.icv_octets
        self._window = ReplayWindow(request.replay_window, self._esn)

    @property
    def highest(self) -> int:
        """The highest sequence number of an authentic packet so far."""
        return self._window.highest

    def open(self, packet: bytes) -> tuple[int, bytes]:
        """The next header and the inner packet, without TFC padding.

        Raises `Replayed`, `IntegrityFailed`, `SaOver`, or `InvalidSyntax` where an authentic
        packet's inside is malformed. A dummy packet has NO_NEXT_HEADER (RFC 4303 section 2.6).
        """
        if self.usage.is_over:
            raise SaOver("the hard limit of the SA is reached")
        if len(packet) < self._shortest:
            raise InvalidSyntax("too short for ESP")
        header = packet[: _HEADER.size]
        sequence = self._window.whole(int.from_bytes(packet[4:8], "big"))
        self._window.check(sequence)
        associated, trailer = _authenticated(header, sequence, self._esn, self._is_aead)
        iv, sealed = packet[_HEADER.size : self._iv_end], packet[self._iv_end :]
        plaintext = self._keyed.open(iv, sealed, associated, trailer)

        # Authenticated: from here on we may change.
        self._window.accept(sequence)
        next_header, inner = _without_padding(plaintext)
        self.usage.count(len(inner))
        return next_header, inner


def _authenticated(header: bytes, sequence: int, esn: bool, is_aead: bool) -> tuple[bytes, bytes]:
    """What is authenticated in front and, by a MAC, behind (RFC 4303 section 2.2.1)."""
    if not esn:
        return header, b""
    high = (sequence >> 32).to_bytes(4, "big")
    if is_aead:
        return header[:4] + high + header[4:], b""
    return header, high


def _without_padding(plaintext: bytes) -> tuple[int, bytes]:
    count, next_header = plaintext[-2], plaintext[-1]
    end = len(plaintext) - _TRAILER_OCTETS - count
    if end < 0 or plaintext[end:-_TRAILER_OCTETS] != _PADDING[:count]:
        raise InvalidSyntax("the padding of an ESP packet is malformed")
    if next_header == NO_NEXT_HEADER:
        return next_header, b""
    inner = plaintext[:end]
    if next_header not in _INNER_VERSIONS:
        return next_header, inner
    return next_header, inner[: _ip_length(next_header, inner)]


def _ip_length(next_header: int, inner: bytes) -> int:
    """The IP packet's own length: what is behind is TFC padding (RFC 4303 section 2.7)."""
    version, shortest, at, beyond = _INNER_VERSIONS[next_header]
    if len(inner) < shortest or inner[0] >> 4 != version:
        raise InvalidSyntax("the inner packet is not what the next header says")
    length = int.from_bytes(inner[at : at + 2], "big") + beyond
    if not shortest <= length <= len(inner):
        raise InvalidSyntax("the inner packet is cut short")
    return length


def _refuse_what_is_not_here(request: SaRequest) -> None:
    if request.protocol != ProtocolId.ESP:
        name = request.protocol.name
        raise KernelRefusal(errno.EOPNOTSUPP, f"the userspace data plane has no {name}, only ESP")
    if request.mode is not Mode.TUNNEL:
        raise KernelRefusal(
            errno.EOPNOTSUPP, "the userspace data plane has no transport mode, only tunnel mode"
        )
    if not 0 <= request.replay_window <= MAX_REPLAY_WINDOW:
        raise KernelRefusal(errno.EINVAL, f"a replay window is at most {MAX_REPLAY_WINDOW} wide")


def _reached(count: int, limit: int) -> bool:
    return 0 < limit <= count


IP_VERSIONS = {4: IPV4_IN_IP, 6: IPV6_IN_IP}

# Next header: IP version, shortest packet, where its length is, what that length leaves out.
_INNER_VERSIONS = {IPV4_IN_IP: (4, 20, 2, 0), IPV6_IN_IP: (6, 40, 4, 40)}

_RANDOM_IV = frozenset({Encr.AES_CBC, Encr.TRIPLE_DES})
