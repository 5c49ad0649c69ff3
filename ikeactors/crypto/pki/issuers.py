"""Authorities that OpenSSL has found good: below these a peer's certificate is looked at alone.

Most peers differ in their own certificate and in nothing above it. Who is here has had a whole path
validated lately, and nothing in that path says anything of the certificates below it but their
signatures. This only ever says yes: whatever is not plain is left to OpenSSL, which also explains.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtensionOID

from ikeactors.crypto.pki.profile import extension

# Ours: authorities remembered; only those that a path of ours leads to are here at all.
MAX_ISSUERS = 256

# Ours: a path is looked at anew after that, in seconds, whatever its certificates say.
REMEMBERED_FOR = 3600.0

Path = tuple[x509.Certificate, ...]

# What an authority may have to say of all below it. Address blocks (RFC 3779) matter only where the
# end entity has some, and then it is not plain.
_REACHES_BELOW = frozenset(
    {
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.POLICY_CONSTRAINTS,
        ExtensionOID.POLICY_MAPPINGS,
        ExtensionOID.INHIBIT_ANY_POLICY,
    }
)

# What a certificate may have that no path has to be asked about.
_PLAIN = frozenset(
    {
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
        ExtensionOID.FRESHEST_CRL,
        ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
    }
)


class ProvenIssuers:
    """Paths above a certificate, by the key identifier that it says its issuer has."""

    def __init__(self) -> None:
        self._paths: OrderedDict[bytes, tuple[float, Path]] = OrderedDict()

    def note(self, path: Path, at: float) -> None:
        """OpenSSL has found this whole path good."""
        above = path[1:]
        if not above or any(_reaches_below(one) for one in above):
            return
        identifier = extension(above[0], x509.SubjectKeyIdentifier)
        if identifier is None:
            return
        self._paths.pop(identifier.digest, None)
        self._paths[identifier.digest] = at, above
        if len(self._paths) > MAX_ISSUERS:
            self._paths.popitem(last=False)

    def path_of(
        self,
        certificate: x509.Certificate,
        others: Sequence[x509.Certificate],
        known: Collection[x509.Certificate],
        at: float,
    ) -> Path | None:
        """The path, if there is no doubt; each authority in it came along or is known."""
        named = extension(certificate, x509.AuthorityKeyIdentifier)
        if named is None or named.key_identifier is None or named.authority_cert_issuer:
            return None
        proven_at, above = self._paths.get(named.key_identifier, (0.0, ()))
        if not above or not proven_at <= at < proven_at + REMEMBERED_FOR:
            return None
        path = (certificate, *above)
        if not all(_is_valid(one, at) for one in path):
            return None
        if not all(one in others or one in known for one in above[:-1]):
            return None
        is_good = _is_plain(certificate) and _has_signed(above[0], certificate)
        return path if is_good else None


def _is_plain(certificate: x509.Certificate) -> bool:
    """An end entity without anything that is not understood here."""
    if certificate.version is not x509.Version.v3:
        return False
    if any(one.oid not in _PLAIN for one in certificate.extensions):
        return False
    constraints = extension(certificate, x509.BasicConstraints)
    return constraints is None or not constraints.ca


def _has_signed(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
        return False
    return True


def _is_valid(certificate: x509.Certificate, at: float) -> bool:
    since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return since.timestamp() <= at < until.timestamp()


def _reaches_below(certificate: x509.Certificate) -> bool:
    return any(one.oid in _REACHES_BELOW for one in certificate.extensions)
