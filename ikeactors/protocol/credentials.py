"""Credentials by public key, as an association sees them: our keys, and whom we believe.

`keyring` has the real ones; a daemon that has only pre-shared keys does without. Private keys stay
behind this interface, and what comes back is plain data, a refusal too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from ikeactors.iana import AuthMethod, SignatureHash
from ikeactors.protocol.settings import Address, AuthSettings
from ikeactors.wire.identities import Identity
from ikeactors.wire.payload import Authentication, Certificate


@dataclass(frozen=True, slots=True)
class WelcomeMethod:
    """A way to authenticate that the peer takes: where `authority` is a SHA-1 hash as CERTREQ has
    them, with a certificate of that authority; `algorithm` is an AlgorithmIdentifier."""

    method: AuthMethod
    authority: bytes = b""
    algorithm: bytes = b""


@dataclass(frozen=True, slots=True)
class Unsigned:
    """What a token is to sign: with which key, in which way, and how AUTH then has it.

    `algorithm` is the AlgorithmIdentifier of the way, `bits` are those of the key.
    """

    key: str
    method: AuthMethod
    algorithm: bytes
    octets: bytes
    bits: int = 0


@dataclass(frozen=True, slots=True)
class OwnProof:
    """AUTH by one of our keys, and what shows whose key it is, the end entity first.

    `not_after` is when our certificate expires, in seconds since 1970. Where the key is on a token
    what is to be signed stands in AUTH until it is: `unsigned`.
    """

    authentication: Authentication
    certificates: tuple[Certificate, ...] = ()
    not_after: float = float("inf")
    unsigned: Unsigned | None = None


@dataclass(frozen=True, slots=True)
class PeerProof:
    """A peer's signature that is right; `path` says in a line by what its key stands.

    `not_after` is when the first certificate of the path expires, in seconds since 1970, `chain`
    the path itself in DER, the end entity first; empty where the key needs none. `blocks` are the
    addresses it may speak for, None where they do not matter. `answers` are OCSP responses that
    have come with it.
    """

    scheme: str
    path: str
    not_after: float = float("inf")
    chain: tuple[bytes, ...] = ()
    blocks: tuple[tuple[Address, Address], ...] | None = None
    answers: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class CredentialsRefusal:
    """Why there is no proof: the text names the certificate and the step."""

    text: str


class Credentials(Protocol):
    """Who we are and whom we believe."""

    def prove(
        self,
        auth: AuthSettings,
        identity: Identity,
        authorities: tuple[bytes, ...],
        announced: tuple[SignatureHash, ...],
        octets: bytes,
        methods: tuple[WelcomeMethod, ...] = (),
    ) -> OwnProof | CredentialsRefusal:
        """Sign `octets` as an identity, with a key that one of the authorities has certified.

        `authorities` are SHA-1 hashes as CERTREQ has them, `announced` the hashes the peer takes;
        where there are none it does not know RFC 7427. Of `methods`, where the peer has told some,
        one is taken if a key of ours fits.
        """

    def authorities(self, auths: Iterable[AuthSettings]) -> tuple[bytes, ...]:
        """The hashes of those whose certificates are welcome, for CERTREQ."""

    def verify(
        self,
        auth: AuthSettings,
        identity: Identity,
        certificates: tuple[Certificate, ...],
        authentication: Authentication,
        octets: bytes,
        at: float,
    ) -> PeerProof | CredentialsRefusal:
        """Check that a peer's certificates are an identity's, and its signature over `octets`.

        `at` is the time of day in seconds since 1970.
        """


class NoCredentials:
    """A daemon without certificates and keys."""

    def prove(
        self,
        auth: AuthSettings,
        identity: Identity,
        authorities: tuple[bytes, ...],
        announced: tuple[SignatureHash, ...],
        octets: bytes,
        methods: tuple[WelcomeMethod, ...] = (),
    ) -> OwnProof | CredentialsRefusal:
        """We have none."""
        return CredentialsRefusal("there is no private key to authenticate with")

    def authorities(self, auths: Iterable[AuthSettings]) -> tuple[bytes, ...]:
        """None are welcome."""
        return ()

    def verify(
        self,
        auth: AuthSettings,
        identity: Identity,
        certificates: tuple[Certificate, ...],
        authentication: Authentication,
        octets: bytes,
        at: float,
    ) -> PeerProof | CredentialsRefusal:
        """None stands."""
        return CredentialsRefusal(f"no key of {identity} is known, and no authority is trusted")


class CurrentCredentials:
    """Those in use now, which can be replaced by others."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    @property
    def current(self) -> Credentials:
        """These."""
        return self._credentials

    def replace(self, credentials: Credentials) -> None:
        """These hold from now on."""
        self._credentials = credentials

    def prove(
        self,
        auth: AuthSettings,
        identity: Identity,
        authorities: tuple[bytes, ...],
        announced: tuple[SignatureHash, ...],
        octets: bytes,
        methods: tuple[WelcomeMethod, ...] = (),
    ) -> OwnProof | CredentialsRefusal:
        """As they do."""
        return self._credentials.prove(auth, identity, authorities, announced, octets, methods)

    def authorities(self, auths: Iterable[AuthSettings]) -> tuple[bytes, ...]:
        """As they do."""
        return self._credentials.authorities(auths)

    def verify(
        self,
        auth: AuthSettings,
        identity: Identity,
        certificates: tuple[Certificate, ...],
        authentication: Authentication,
        octets: bytes,
        at: float,
    ) -> PeerProof | CredentialsRefusal:
        """As they do."""
        return self._credentials.verify(auth, identity, certificates, authentication, octets, at)
