"""Puzzles: work that an initiator proves to have done, before a responder under attack deals with
it (RFC 8019 section 7.1.3).

Four keys are looked for that each make the PRF of the responder's cookie end in enough zero bits.
Whoever verifies them computes the PRF four times, whoever looks for them 4 * 2**difficulty times.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ikeactors import iana
from ikeactors.crypto.prf import Prf
from ikeactors.iana import TransformType
from ikeactors.wire.proposals import Proposal
from ikeactors.wire.puzzles import SOLUTION_KEYS

# The specification's: easier ones are no work (RFC 8019 section 4.4).
MIN_DIFFICULTY = 9
# Ours: 2**34 computations, hours in any language; nobody asks for more and means it.
MAX_DIFFICULTY = 32
# Ours: the length of the keys we try: enough of them for any difficulty that we solve.
KEY_OCTETS = 4

# Ours: the PRFs we make puzzles of, those first that cost attackers and peers much the same.
_PREFERRED = (
    iana.Prf.HMAC_SHA2_256,
    iana.Prf.HMAC_SHA2_384,
    iana.Prf.HMAC_SHA2_512,
    iana.Prf.HMAC_SHA1,
    iana.Prf.AES128_CMAC,
    iana.Prf.AES128_XCBC,
)


def offered_prfs(offer: Iterable[Proposal]) -> set[int]:
    """The numbers of all PRFs in an offer."""
    return {transform.id for proposal in offer for transform in proposal.of_type(TransformType.PRF)}


def choose_prf(offer: Iterable[Proposal]) -> iana.Prf | None:
    """The PRF for a puzzle to whoever made this offer (RFC 8019 section 7.1.1.2)."""
    offered = offered_prfs(offer)
    return next((prf for prf in _PREFERRED if prf in offered), None)


def auth_text(nonce_r: bytes, spi_r: bytes) -> bytes:
    """What the PRF is computed of in IKE_AUTH, in place of a cookie (RFC 8019 section 7.2.3)."""
    return nonce_r + spi_r


def zero_bits(octets: bytes) -> int:
    """How many zero bits there are at the end."""
    number = int.from_bytes(octets, "big")
    return (number & -number).bit_length() - 1 if number else 8 * len(octets)


def solved_bits(prf: Prf, cookie: bytes, keys: tuple[bytes, ...]) -> int:
    """How many zero bits the worst of the keys has found; 0 when they are no solution at all."""
    if len(set(keys)) != SOLUTION_KEYS or not 1 <= len(keys[0]) <= prf.key_octets:
        return 0
    return min(zero_bits(prf.compute(key, cookie)) for key in keys)


@dataclass(frozen=True, slots=True)
class Search:
    """The keys found so far, and where to look further: they are counted up from a number."""

    prf: Prf
    cookie: bytes
    difficulty: int
    next_key: int
    keys: tuple[bytes, ...] = field(default=())

    @property
    def is_done(self) -> bool:
        """Whether there are enough keys."""
        return len(self.keys) == SOLUTION_KEYS

    def further(self, tries: int) -> Search:
        """Try so many keys more, or fewer where the last one is found."""
        compute, cookie, mask = self.prf.compute, self.cookie, (1 << self.difficulty) - 1
        keys = self.keys
        for number in range(self.next_key, self.next_key + tries):
            key = (number % (1 << 8 * KEY_OCTETS)).to_bytes(KEY_OCTETS, "big")
            if int.from_bytes(compute(key, cookie), "big") & mask == 0:
                keys = (*keys, key)
                if len(keys) == SOLUTION_KEYS:
                    break
        return replace(self, next_key=self.next_key + tries, keys=keys)
