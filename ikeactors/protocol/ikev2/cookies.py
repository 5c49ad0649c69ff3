"""Cookies: what a responder under load gives to an initiator instead of remembering it (RFC 7296
section 2.6).

    Cookie = version of the secret | puzzle | MAC(secret, puzzle | SPIi | IPi | port | Ni)

The puzzle that came with it is in it, so that its solution is verified without any state either
(RFC 8019 section 7.1.1.3).
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass, field

from ikeactors.iana import Prf
from ikeactors.protocol.entropy import Entropy
from ikeactors.protocol.events import Endpoint
from ikeactors.wire.puzzles import Puzzle

# Ours: a cookie is good for one to two of these, so a slow path can still return it.
SECRET_LIFETIME = 60.0
SECRET_OCTETS = 32
# Ours: a solution is good for the request, for the same one with another group, and for once more
# where an answer was lost. Nobody gets more half-open IKE SAs for one piece of work.
MAX_USES = 3
# Ours: solutions whose uses are counted, some 200 octets each. Each has cost its sender work.
MAX_SPENT = 10_000

# The first octet tells which secret made it; behind it, the puzzle's PRF and difficulty and when it
# was given, in seconds of the secret's life. Without a puzzle the three are zero.
_HEAD = struct.Struct(">BHBB")
_VERSIONS = 256
_NO_PUZZLE = Puzzle(Prf(0), 0)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who gets a cookie, and for which request: nobody else can use it."""

    spi_i: bytes
    remote: Endpoint
    nonce: bytes

    @property
    def octets(self) -> bytes:
        """All of it. What varies in length comes last, or says its length before."""
        address = self.remote.address
        port = self.remote.port.to_bytes(2, "big")
        return b"".join((self.spi_i, port, bytes((address.version,)), address.packed, self.nonce))


@dataclass(frozen=True, slots=True)
class _Secret:
    """What cookies are made with, and from when on."""

    version: int
    made_at: float
    key: bytes = field(repr=False)


class Cookies:
    """Makes cookies and knows them again. It holds two secrets, and what solutions were used."""

    __slots__ = ("_entropy", "_former", "_secret", "_spent")

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._secret = _Secret(0, float("-inf"), b"")
        self._former = self._secret
        self._spent: dict[bytes, int] = {}

    def make(self, asker: Asker, puzzle: Puzzle | None, now: float) -> bytes:
        """A cookie, the same one for the same request unless there is a puzzle with it."""
        self._rotate(now)
        secret = self._secret
        if puzzle is None:
            return _cookie(secret, _HEAD.pack(secret.version, 0, 0, 0), asker)
        age = int(now - secret.made_at)
        head = _HEAD.pack(secret.version, puzzle.prf, puzzle.difficulty, age)
        return _cookie(secret, head, asker)

    def given_with(self, cookie: bytes, asker: Asker, now: float) -> Puzzle | None:
        """The puzzle that was given with this cookie, of difficulty 0 when there was none; no
        puzzle at all when the cookie is not ours, not this asker's, or too old."""
        self._rotate(now)
        head = cookie[: _HEAD.size]
        for secret in (self._secret, self._former):
            if secret.key and len(head) == _HEAD.size and head[0] == secret.version:
                if not hmac.compare_digest(cookie, _cookie(secret, head, asker)):
                    return None
                _, prf, difficulty, _ = _HEAD.unpack(head)
                return Puzzle(Prf(prf), difficulty) if difficulty else _NO_PUZZLE
        return None

    def spend(self, cookie: bytes) -> bool:
        """Count a use of a solution; whether it may be used (RFC 8019 section 10)."""
        uses = self._spent.pop(cookie, 0) + 1
        if len(self._spent) >= MAX_SPENT:
            del self._spent[next(iter(self._spent))]
        self._spent[cookie] = uses
        return uses <= MAX_USES

    def _rotate(self, now: float) -> None:
        if now - self._secret.made_at < SECRET_LIFETIME:
            return
        still_good = now - self._secret.made_at < 2 * SECRET_LIFETIME
        self._former = self._secret if still_good else _Secret(0, float("-inf"), b"")
        version = (self._secret.version + 1) % _VERSIONS
        self._secret = _Secret(version, now, self._entropy.octets(SECRET_OCTETS))


def _cookie(secret: _Secret, head: bytes, asker: Asker) -> bytes:
    return head + hmac.digest(secret.key, head + asker.octets, hashlib.sha256)
