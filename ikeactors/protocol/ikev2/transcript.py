"""What IKE_SA_INIT was, octet for octet: AUTH covers it, and the first Child SA's keys."""

from __future__ import annotations

from dataclasses import field

from ikeactors.crypto.prf import Prf
from ikeactors.errors import InvalidSyntax
from ikeactors.quick import quick

# Ours: at least half the key of every PRF we have (RFC 7296 section 2.10).
NONCE_OCTETS = 32


def check_nonce(nonce: bytes, prf: Prf) -> None:
    """A nonce has at least half the octets of the PRF's key (RFC 7296 section 2.10)."""
    if 2 * len(nonce) < prf.key_octets:
        raise InvalidSyntax(f"a nonce of {len(nonce)} octets is too short for {prf.id.name}")


@quick
class Transcript:
    """Both messages, and the nonces of both ends."""

    request: bytes
    response: bytes
    nonce_i: bytes
    nonce_r: bytes = field(repr=False)
