"""Where nobody can check certificates: every check is answered that nothing is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ikeactors.crypto.pki.revocation import Revocation, RevocationFinding
from ikeactors.errors import AuthenticationFailed
from ikeactors.protocol.events import Address

# Takes the addresses of a name, or why none is proven.
NameAnswer = Callable[[tuple[Address, ...], str], None]

# Takes the findings about each certificate of a path but the anchor.
Answer = Callable[[tuple[RevocationFinding, ...]], None]


# Takes the certificates there are, and of each other one why there is none.
Fetched = Callable[[tuple[bytes, ...], tuple[str, ...]], None]
# Fetches certificates by their SHA-1 hashes from URLs.
LookUp = Callable[[tuple[tuple[bytes, str], ...], Fetched], None]


def fetch_nothing(names: tuple[tuple[bytes, str], ...], answer: Fetched) -> None:
    """Where nobody can."""
    answer((), ("this daemon fetches no certificates",))


class Checks(Protocol):
    """Who finds out whether certificates are revoked."""

    def check(
        self, chain: tuple[bytes, ...], answer: Answer, answers: tuple[bytes, ...] = ()
    ) -> None: ...


class Unchecked:
    """Nobody does."""

    def check(
        self, chain: tuple[bytes, ...], answer: Answer, answers: tuple[bytes, ...] = ()
    ) -> None:
        answer(unknown(chain, "this daemon checks no certificates"))


class NameChecks(Protocol):
    """Who finds out what DNSSEC proves of names."""

    def check(self, name: str, answer: NameAnswer) -> None: ...
    def keys_of(self, name: str) -> tuple[bytes, ...]: ...


class NobodyAsked:
    """Nobody does."""

    def check(self, name: str, answer: NameAnswer) -> None:
        answer((), _NOBODY)

    def keys_of(self, name: str) -> tuple[bytes, ...]:
        raise AuthenticationFailed(_NOBODY)


_NOBODY = "this daemon asks no name server"


def unknown(chain: tuple[bytes, ...], why: str) -> tuple[RevocationFinding, ...]:
    """Nothing is known of any, though it might be."""
    text = f"whether its certificates are revoked is not known: {why}"
    return tuple(RevocationFinding(Revocation.UNKNOWN, text, is_named=True) for _ in chain[:-1])
