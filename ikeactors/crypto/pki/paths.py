"""Certification paths: from a peer's certificate to one of our trust anchors (RFC 5280 section 6).

OpenSSL builds and validates them, through pyOpenSSL: signatures, validity, basic constraints, path
length, key usage, name constraints, address blocks (RFC 3779), critical extensions. The verifier of
`cryptography` is made for the web: it takes neither Ed25519 nor brainpool nor ML-DSA keys, and no
constraints on e-mail addresses. Certificate policies are in `policies`, for pyOpenSSL offers no
way to say which are wanted; what IKE asks of the end entity is in `profile`, revocation in `crls`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from OpenSSL.crypto import (
    X509,
    Error,
    X509Store,
    X509StoreContext,
    X509StoreContextError,
)

from ikeactors.crypto.pki.certificates import describe, fingerprint_of
from ikeactors.crypto.pki.issuers import REMEMBERED_FOR, ProvenIssuers
from ikeactors.crypto.pki.policies import ANY_OR_NO_POLICY, PolicyDemand, check_policies
from ikeactors.errors import CertificateRefused

# Ours: a path of four is long; OpenSSL looks no further, so there is nothing exponential in it.
MAX_PATH = 10

# Ours: the paths remembered; a peer that sends the same certificates in other disguises pushes out
# the oldest ones, no more.
_REMEMBERED = 1024

# The certificates that are looked at: the end entity, and those sent along.
_Given = tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class CertificationPath:
    """A valid path: the end entity first, the trust anchor last."""

    certificates: tuple[x509.Certificate, ...]

    @property
    def end_entity(self) -> x509.Certificate:
        """Whose path it is."""
        return self.certificates[0]

    @property
    def anchor(self) -> x509.Certificate:
        """Whom we trust."""
        return self.certificates[-1]

    @property
    def not_after(self) -> float:
        """When the first of its certificates expires, in seconds since 1970."""
        return min(one.not_valid_after_utc.timestamp() for one in self.certificates)

    def __str__(self) -> str:
        return " <- ".join(describe(one) for one in self.certificates)


class TrustAnchors:
    """The authorities we trust, and the intermediate certificates we know besides."""

    def __init__(
        self, anchors: Iterable[x509.Certificate], known: Iterable[x509.Certificate] = ()
    ) -> None:
        self._anchors = {fingerprint_of(one): one for one in anchors}
        self._prepared = list(map(_prepared, self._anchors.values()))
        self._known = {one: _prepared(one) for one in known}
        self._proven = ProvenIssuers()
        self._paths: OrderedDict[_Given, tuple[float, CertificationPath]] = OrderedDict()

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """The anchors."""
        return tuple(self._anchors.values())

    def validate(
        self,
        end_entity: x509.Certificate,
        others: Sequence[x509.Certificate],
        at: float,
        demand: PolicyDemand = ANY_OR_NO_POLICY,
    ) -> CertificationPath:
        """The path of `end_entity` at a time, in seconds since 1970. Raises CertificateRefused."""
        if len(others) > MAX_PATH:
            raise CertificateRefused(
                f"{len(others) + 1} certificates, at most {MAX_PATH + 1} make a path"
            )
        given = (end_entity, *others)
        path = self._recall(given, at)
        if path is None:
            path = self._below_proven(end_entity, others, at)
            if path is None:
                path = self._verify(end_entity, others, at)
                self._proven.note(path.certificates, at)
            self._remember(given, at, path)
        check_policies(path.certificates, demand)
        return path

    def _below_proven(
        self, end_entity: x509.Certificate, others: Sequence[x509.Certificate], at: float
    ) -> CertificationPath | None:
        path = self._proven.path_of(end_entity, others, self._known, at)
        return None if path is None else CertificationPath(path)

    def _verify(
        self,
        end_entity: x509.Certificate,
        others: Sequence[x509.Certificate],
        at: float,
    ) -> CertificationPath:
        store = self.store(at)
        chain = [*map(_prepared, others), *self._known.values()]
        context = X509StoreContext(store, _prepared(end_entity), chain)
        try:
            verified = context.get_verified_chain()
        except X509StoreContextError as error:
            raise CertificateRefused(self._explain(error, end_entity)) from None
        path = tuple(one.to_cryptography() for one in verified)
        if len(path) > MAX_PATH:
            raise CertificateRefused(f"a path of {len(path)} certificates, at most {MAX_PATH}")
        return CertificationPath(path)

    def store(self, at: float, flags: int = 0) -> X509Store:
        """A store of OpenSSL's that trusts the anchors."""
        store = X509Store()
        store.set_time(datetime.fromtimestamp(at, UTC))
        store.set_flags(flags)
        for anchor in self._prepared:
            store.add_cert(anchor)
        return store

    def _explain(self, error: X509StoreContextError, end_entity: x509.Certificate) -> str:
        code = error.errors[0]
        try:
            certificate = error.certificate.to_cryptography()
        except Error:
            # The fault is of the path as a whole.
            return f"the path of {describe(end_entity)}: {error}"
        leaf = certificate == end_entity
        text = f"{'' if leaf else 'authority '}{describe(certificate)}: {error}"
        if code in _NO_ISSUER:
            trusted = ", ".join(describe(one) for one in self._anchors.values()) or "nobody"
            issuer = certificate.issuer.rfc4514_string()
            text += f" ({issuer}); trusted are: {trusted}"
        elif code in _NOT_NOW:
            text += (
                f" (valid from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} "
                f"to {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC)"
            )
        return text

    def _recall(self, given: _Given, at: float) -> CertificationPath | None:
        """Workers look at the same time: what one has, another may just have pushed out."""
        verified_at, path = self._paths.pop(given, (0.0, None))
        if path is None or not verified_at <= at < verified_at + REMEMBERED_FOR:
            return None
        if at >= path.not_after:
            return None
        self._paths[given] = (verified_at, path)
        return path

    def _remember(self, given: _Given, at: float, path: CertificationPath) -> None:
        self._paths[given] = (at, path)
        if len(self._paths) > _REMEMBERED:
            self._paths.popitem(last=False)


def _prepared(certificate: x509.Certificate) -> X509:
    """As OpenSSL has it, which cannot read all that `cryptography` does."""
    try:
        return X509.from_cryptography(certificate)
    except Error:
        raise CertificateRefused(f"{describe(certificate)}: OpenSSL cannot read it") from None


# Error codes of OpenSSL's verifier (x509_vfy.h).
_NO_ISSUER = (2, 18, 19, 20, 21)
_NOT_NOW = (9, 10)
