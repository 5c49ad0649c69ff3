"""The key schedule of IKEv2, one stage per class.

SKEYSEED = prf(Ni | Nr, g^ir)
{SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr} = prf+(SKEYSEED, Ni | Nr | SPIi | SPIr)
KEYMAT = prf+(SK_d, [g^ir] | Ni | Nr)
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import field, replace

from ikeactors.crypto.prf import Prf, prf_plus
from ikeactors.crypto.suite import ChildSuite, IkeSuite
from ikeactors.errors import AuthenticationFailed
from ikeactors.quick import quick

# The specification's: without a terminating zero.
KEY_PAD = b"Key Pad for IKEv2"


@quick
class Skeyseed:
    """The seed of an IKE SA's keys."""

    value: bytes = field(repr=False)

    @classmethod
    def for_rekey(
        cls, old_prf: Prf, sk_d: bytes, shared: bytes, nonce_i: bytes, nonce_r: bytes
    ) -> Skeyseed:
        """The successor's seed, by the old SA's PRF and SK_d (RFC 7296 section 2.18)."""
        return cls(old_prf.compute(sk_d, shared + nonce_i + nonce_r))

    def expand(
        self, suite: IkeSuite, nonce_i: bytes, nonce_r: bytes, spi_i: bytes, spi_r: bytes
    ) -> IkeKeys:
        """The seven keys, as long as the suite's algorithms take them (RFC 7296 section 2.14)."""
        prf, cipher = suite.prf_function, suite.cipher
        lengths = (
            prf.key_octets,
            cipher.integ_key_octets,
            cipher.integ_key_octets,
            cipher.encr_key_octets,
            cipher.encr_key_octets,
            prf.key_octets,
            prf.key_octets,
        )
        keymat = prf_plus(prf, self.value, nonce_i + nonce_r + spi_i + spi_r, sum(lengths))
        return IkeKeys(*_cut(keymat, lengths))


@quick
class IkeKeys:
    """The keys of an IKE SA."""

    sk_d: bytes = field(repr=False)
    sk_ai: bytes = field(repr=False)
    sk_ar: bytes = field(repr=False)
    sk_ei: bytes = field(repr=False)
    sk_er: bytes = field(repr=False)
    sk_pi: bytes = field(repr=False)
    sk_pr: bytes = field(repr=False)

    def mixed(self, prf: Prf, ppk: bytes) -> IkeKeys:
        """With a post-quantum pre-shared key in those that others are made of (RFC 8784 section 3).

        Those that protect the IKE SA itself stay as they are.
        """
        sk_d, sk_pi, sk_pr = (
            prf_plus(prf, ppk, one, len(one)) for one in (self.sk_d, self.sk_pi, self.sk_pr)
        )
        return replace(self, sk_d=sk_d, sk_pi=sk_pi, sk_pr=sk_pr)


@quick
class ChildKeys:
    """The keys of a pair of SAs: `_i` protects what the initiator of their exchange sends."""

    encr_i: bytes = field(repr=False)
    integ_i: bytes = field(repr=False)
    encr_r: bytes = field(repr=False)
    integ_r: bytes = field(repr=False)


def skeyseed(prf: Prf, nonce_i: bytes, nonce_r: bytes, shared: bytes) -> Skeyseed:
    """The seed of a first IKE SA; PRFs with a fixed key take half of it from each nonce."""
    octets = prf.seed_nonce_octets
    return Skeyseed(prf.compute(nonce_i[:octets] + nonce_r[:octets], shared))


def child_keys(
    suite: ChildSuite, prf: Prf, sk_d: bytes, nonce_i: bytes, nonce_r: bytes, shared: bytes = b""
) -> ChildKeys:
    """The keys of a Child SA, the initiator's direction first (RFC 7296 section 2.17)."""
    lengths = (suite.encr_key_octets, suite.integ_key_octets) * 2
    keymat = prf_plus(prf, sk_d, shared + nonce_i + nonce_r, sum(lengths))
    return ChildKeys(*_cut(keymat, lengths))


def signed_octets(
    message: bytes, nonce: bytes, prf: Prf, sk_p: bytes, id_payload_body: bytes
) -> bytes:
    """What AUTH covers: our first message, the other's nonce, our identity's MAC."""
    return message + nonce + prf.compute(sk_p, id_payload_body)


def psk_auth(prf: Prf, secret: bytes, signed_octets: bytes) -> bytes:
    """AUTH data of a shared key (RFC 7296 section 2.15)."""
    return prf.compute(prf.compute(secret, KEY_PAD), signed_octets)


def verify_psk_auth(prf: Prf, secret: bytes, signed_octets: bytes, auth: bytes) -> None:
    """Raise `AuthenticationFailed` unless this is the AUTH data; compared in constant time."""
    if not hmac.compare_digest(psk_auth(prf, secret, signed_octets), auth):
        raise AuthenticationFailed("AUTH does not fit the shared key")


def _cut(keymat: bytes, lengths: tuple[int, ...]) -> Iterator[bytes]:
    at = 0
    for length in lengths:
        yield keymat[at : at + length]
        at += length
