"""Whether the authorities of a path are as strong as an operator demands of the end entity.

As in swanctl.conf: what stands in `auth` holds for every key and signature of the path, unless it
begins with "ike:".
"""

from __future__ import annotations

from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding

from ikeactors.crypto.pki.certificates import describe, public_key_of
from ikeactors.crypto.pki.paths import CertificationPath
from ikeactors.crypto.signature_constraints import SignatureConstraint
from ikeactors.crypto.signature_schemes import HASH_WORDS, SCHEMES, SignatureScheme
from ikeactors.crypto.signatures import PublicKey, kind_of, strength_of
from ikeactors.errors import CertificateRefused
from ikeactors.iana import SignatureHash


def check_strength(path: CertificationPath, constraint: SignatureConstraint) -> None:
    """Refuse a path with an authority that is too weak. Raises CertificateRefused.

    The end entity's own key is not looked at here, and no anchor's own signature.
    """
    if constraint.ike_only or not (constraint.keys or constraint.hashes):
        return
    certificates = path.certificates
    for certificate, issuer in pairwise(certificates):
        key = public_key_of(issuer)
        _check_key(issuer, key, constraint)
        if constraint.hashes:
            _check_signature(certificate, key, constraint)


def _check_key(issuer: x509.Certificate, key: PublicKey, constraint: SignatureConstraint) -> None:
    """A strength is demanded of keys of its kind."""
    alike = [one for one in constraint.keys if one.kind is kind_of(key)]
    if alike and not any(one.allows(one.kind, strength_of(key)) for one in alike):
        raise CertificateRefused(
            f"authority {describe(issuer)}: its key ({kind_of(key).value}-{strength_of(key)}) is "
            f"weaker than {constraint} demands"
        )


def _check_signature(
    certificate: x509.Certificate, key: PublicKey, constraint: SignatureConstraint
) -> None:
    scheme = _scheme_of(certificate, key)
    if scheme is None or not constraint.permits(scheme):
        name = scheme or certificate.signature_algorithm_oid.dotted_string
        raise CertificateRefused(
            f"{describe(certificate)}: it is signed by {name}, which {constraint} does not permit; "
            f'"ike:{constraint}" would not ask it of certificates'
        )


def _scheme_of(certificate: x509.Certificate, key: PublicKey) -> SignatureScheme | None:
    try:
        digest = certificate.signature_hash_algorithm
        parameters = certificate.signature_algorithm_parameters
    except (UnsupportedAlgorithm, ValueError):
        return None
    pss = isinstance(parameters, padding.PSS)
    number = _HASHES.get(digest.name) if digest else SignatureHash.IDENTITY
    alike = (one for one in SCHEMES if one.kind is kind_of(key) and one.pss is pss)
    return next((one for one in alike if one.hash is number), None)


_HASHES = {word: digest for digest, word in HASH_WORDS.items()}
