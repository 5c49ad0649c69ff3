"""What IKE_SA_INIT was, octet for octet: AUTH covers it, and the first Child SA's keys."""

from __future__ import annotations

from dataclasses import dataclass, field

# Ours: at least half the key of every PRF we have (RFC 7296 section 2.10).
NONCE_OCTETS = 32


@dataclass(frozen=True, slots=True)
class Transcript:
    """Both messages, and the nonces of both ends."""

    request: bytes
    response: bytes
    nonce_i: bytes
    nonce_r: bytes = field(repr=False)
