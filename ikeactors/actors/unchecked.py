"""Where nobody can check certificates: every check is answered that nothing is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ikeactors.crypto.pki.revocation import Revocation, RevocationFinding

# Takes the findings about each certificate of a path but the anchor.
Answer = Callable[[tuple[RevocationFinding, ...]], None]


class Checks(Protocol):
    """Who finds out whether certificates are revoked."""

    def check(self, chain: tuple[bytes, ...], answer: Answer) -> None: ...


class Unchecked:
    """Nobody does."""

    def check(self, chain: tuple[bytes, ...], answer: Answer) -> None:
        answer(unknown(chain, "this daemon checks no certificates"))


def unknown(chain: tuple[bytes, ...], why: str) -> tuple[RevocationFinding, ...]:
    """Nothing is known of any, though it might be."""
    text = f"whether its certificates are revoked is not known: {why}"
    return tuple(RevocationFinding(Revocation.UNKNOWN, text, is_named=True) for _ in chain[:-1])
