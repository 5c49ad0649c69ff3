"""Targets in what a peer proves by: certificates, keys, signatures. They are borne or refused."""

from __future__ import annotations

import warnings
from contextlib import suppress
from functools import cache
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from ikeactors.crypto import signatures
from ikeactors.crypto.pki.bindings import names_held
from ikeactors.crypto.pki.certificates import describe, public_key_of, read_certificate, read_crl
from ikeactors.crypto.pki.paths import TrustAnchors
from ikeactors.crypto.pki.policies import ANY_OR_NO_POLICY, check_policies
from ikeactors.crypto.pki.profile import extended_usages, key_usages
from ikeactors.errors import AuthenticationFailed, CertificateRefused
from ikeactors.iana import AuthMethod, CertificateEncoding
from ikeactors.protocol.credentials import CredentialsRefusal
from ikeactors.protocol.keyring import Keyring
from ikeactors.protocol.settings import AuthSettings, IdentityPattern
from ikeactors.wire.identities import Identity
from ikeactors.wire.payload import Authentication, Certificate
from tests.crypto.pki.making import NOW, authority, certify
from tests.fuzz.target import Run, Target

# A sentence about a certificate: what a stranger chose is cut.
LONGEST_SENTENCE = 4_000
_PUBLISHED = (
    *("ValidCertificatePathTest1EE", "ValidPolicyMappingTest12EE", "GoodCACert", "UIDCACert"),
    *("nameConstraintsDN1CACert", "P12Mapping1to3CACert", "LongSerialNumberCACert"),
    "ValidRFC822nameConstraintsTest21EE",
)

ROOT = authority("CN=root")
OCTETS = b"octets that are signed"
KEYS = (
    ec.generate_private_key(ec.SECP256R1()),
    ed25519.Ed25519PrivateKey.generate(),
    rsa.generate_private_key(65537, 1024),
)
METHODS = tuple(AuthMethod(number) for number in (1, 2, 9, 10, 11, 14, 99))


@cache
def _trust() -> TrustAnchors:
    return TrustAnchors([ROOT.certificate])


def unwarned(run: Run) -> Run:
    """`cryptography` warns of some encodings that it is going to refuse one day."""

    def quiet(octets: bytes) -> None:
        with warnings.catch_warnings(action="ignore"):
            run(octets)

    return quiet


@unwarned
def certificate(octets: bytes) -> None:
    """A certificate, and all that is asked of one."""
    with suppress(CertificateRefused):
        read = read_certificate(octets)
        for sentence in (describe(read), names_held(read), key_usages(read), extended_usages(read)):
            assert len(sentence) < LONGEST_SENTENCE
        with suppress(CertificateRefused):
            check_policies([read, read, read], ANY_OR_NO_POLICY)
        with suppress(CertificateRefused):
            public_key_of(read)
        _trust().validate(read, [read], NOW)


@unwarned
def revocation_list(octets: bytes) -> None:
    with suppress(CertificateRefused):
        read_crl(octets)


def signature(octets: bytes) -> None:
    """The first octet says which key, the second which method."""
    if len(octets) < 2:
        return
    key = KEYS[octets[0] % len(KEYS)].public_key()
    method = METHODS[octets[1] % len(METHODS)]
    with suppress(AuthenticationFailed):
        signatures.verify(key, method, octets[2:], OCTETS, lambda _: True)


@unwarned
def keyring(octets: bytes) -> None:
    """What a peer sends to be believed: nobody whom we know is."""
    encoding = CertificateEncoding(octets[0] if octets else 0)
    peer = AuthSettings("pubkey", IdentityPattern(Identity.from_text("sun.lab")))
    certificates = (Certificate(encoding, octets[1:]), Certificate(encoding, octets[2:]))
    proof = Authentication(AuthMethod.DIGITAL_SIGNATURE, octets[-100:])
    asked = Keyring((), [ROOT.certificate])
    assert peer.id.identity is not None
    answer = asked.verify(peer, peer.id.identity, certificates, proof, OCTETS, NOW)
    assert isinstance(answer, CredentialsRefusal)
    assert len(answer.text) < LONGEST_SENTENCE


def _certificates() -> list[bytes]:
    names = x509.SubjectAlternativeName(
        [
            *(x509.DNSName("sun.lab"), x509.RFC822Name("sun@lab.example")),
            x509.IPAddress(ip_address("192.0.2.1")),
            x509.DirectoryName(x509.Name.from_rfc4514_string("CN=sun,O=lab")),
        ]
    )
    own = certify("CN=sun", ROOT, [(names, False)]).certificate
    return [own.public_bytes(Encoding.DER), *_published()]


def _published() -> list[bytes]:
    """Some of NIST's, which have everything a certificate may have."""
    vectors = pytest.importorskip("cryptography_vectors")
    folder = Path(vectors.__file__).parent / "x509/PKITS_data/certs"
    return [path.read_bytes() for name in _PUBLISHED for path in folder.glob(f"{name}.crt")]


def _lists() -> list[bytes]:
    vectors = pytest.importorskip("cryptography_vectors")
    folder = Path(vectors.__file__).parent / "x509/PKITS_data/crls"
    found = sorted(folder.glob("*.crl"), key=lambda path: path.stat().st_size)
    return [path.read_bytes() for path in found[::25]]


def _signatures() -> list[bytes]:
    every = frozenset(scheme.hash for scheme in signatures.SCHEMES)
    seeds = []
    for number, key in enumerate(KEYS):
        scheme = signatures.choose_scheme(key, every, lambda _: True)
        assert scheme is not None
        made = signatures.sign(key, scheme, OCTETS)
        seeds.append(bytes((number, METHODS.index(AuthMethod.DIGITAL_SIGNATURE))) + made)
        method = signatures.classic_method(key)
        if method is not None:
            scheme = signatures.classic_scheme(method, lambda _: True)
            made = signatures.sign(key, scheme, OCTETS, method)
            seeds.append(bytes((number, METHODS.index(method))) + made)
    return seeds


CERTIFICATES: dict[str, Target] = {
    "certificate": Target(certificate, _certificates, 3_000),
    "crl": Target(revocation_list, _lists, 10_000),
    "signature": Target(signature, _signatures, 5_000),
    "keyring": Target(
        keyring, lambda: [b"\x04" + one for one in _certificates()] + [b"\x0f" + b"raw"], 3_000
    ),
}
