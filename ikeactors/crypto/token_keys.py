"""Private keys that never leave a token: what is known of them, and what becomes of what they sign.

A token is asked elsewhere, for it can be slow, locked or gone.
"""

from __future__ import annotations

from dataclasses import dataclass

from ikeactors.crypto.signature_schemes import SignatureScheme
from ikeactors.crypto.signatures import PrivateKey, PublicKey


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key by its name in the configuration, and the ways in which its token can sign with it."""

    name: str
    public: PublicKey
    schemes: tuple[SignatureScheme, ...]

    def public_key(self) -> PublicKey:
        """As keys that are here have it."""
        return self.public


OwnKey = PrivateKey | TokenKey
