"""QCD tokens, made of an IKE SA's SPIs and a secret that survives us (RFC 6290 section 5.1)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field

# Ours: of the secret, which is more than anybody guesses; and of a token, the fewest that are
# allowed, so that a reply with it is hardly larger than the smallest request.
SECRET_OCTETS = 32
TOKEN_OCTETS = 16

# Our token for an IKE SA, of its SPIs and of whether we are its original initiator; empty where we
# make none.
TokenOf = Callable[[bytes, bytes, bool], bytes]


def no_token(spi_i: bytes, spi_r: bytes, original_initiator: bool) -> bytes:
    """Nobody makes tokens."""
    return b""


@dataclass(frozen=True, slots=True)
class TokenMaker:
    """Makes the same token for the same IKE SA, also after a restart."""

    secret: bytes = field(repr=False)

    def make(self, spi_i: bytes, spi_r: bytes, original_initiator: bool) -> bytes:
        """Our token for an IKE SA.

        Which of the SPIs is ours is a part of it: a stranger who turns the initiator flag of a
        message asks about an IKE SA that is none, while the real one may stand.
        """
        role = b"initiator" if original_initiator else b"responder"
        octets = hmac.digest(self.secret, spi_i + spi_r + role, hashlib.sha256)
        return octets[:TOKEN_OCTETS]
