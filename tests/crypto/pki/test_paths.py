"""Paths from a peer's certificate to an anchor; the suite of NIST is in test_pkits."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import product

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.crypto.pki.certificates import public_key_of, read_certificate
from ikeactors.crypto.pki.paths import MAX_PATH, TrustAnchors
from ikeactors.crypto.signatures import PrivateKey
from ikeactors.errors import CertificateRefused
from tests.crypto.pki.making import NOW, authority, certify

ROOT = authority("CN=root")
BRANCH = authority("CN=branch", ROOT)
SUN = certify("CN=sun", BRANCH)
ANCHORS = TrustAnchors([ROOT.certificate])


def test_a_path_goes_through_the_certificates_that_came_along() -> None:
    """(RFC 5280 section 6.1)"""
    path = ANCHORS.validate(SUN.certificate, [BRANCH.certificate], NOW)
    assert str(path) == "CN=sun <- CN=branch <- CN=root"
    assert path.end_entity == SUN.certificate
    assert path.anchor == ROOT.certificate
    assert path.not_after == SUN.certificate.not_valid_after_utc.timestamp()


def test_an_intermediate_certificate_may_be_known_already() -> None:
    anchors = TrustAnchors([ROOT.certificate], [BRANCH.certificate])
    assert str(anchors.validate(SUN.certificate, [], NOW)).endswith("CN=root")


def test_without_its_issuer_the_refusal_names_it_and_whom_we_trust() -> None:
    reason = r"CN=sun: unable to get local issuer certificate \(CN=branch\); trusted are: CN=root"
    with pytest.raises(CertificateRefused, match=reason):
        ANCHORS.validate(SUN.certificate, [], NOW)


def test_an_authority_of_the_same_name_is_not_the_one_we_trust() -> None:
    other = certify("CN=sun", authority("CN=root"))
    with pytest.raises(CertificateRefused, match="CN=sun: "):
        ANCHORS.validate(other.certificate, [], NOW)


@pytest.mark.parametrize("year", [1990, 2025, 2028, 2100])
def test_outside_of_its_validity_a_path_does_not_stand(year: int) -> None:
    """Case E19."""
    at = datetime(year, 1, 1, tzinfo=UTC).timestamp()
    with pytest.raises(CertificateRefused, match=r"2026-01-01 00:00 to 2027-01-01 00:00 UTC"):
        ANCHORS.validate(SUN.certificate, [BRANCH.certificate], at)


def test_a_path_that_was_found_is_forgotten_when_it_expires() -> None:
    """Case E19."""
    end = datetime(2026, 6, 1, 0, 10, tzinfo=UTC)
    short = certify("CN=short", ROOT, not_after=end)
    ANCHORS.validate(short.certificate, [], NOW)
    with pytest.raises(CertificateRefused, match="expired"):
        ANCHORS.validate(short.certificate, [], end.timestamp() + 1)


def test_one_certificate_among_others_in_any_order_fills_no_memory() -> None:
    """Case E17."""
    anchors = TrustAnchors([ROOT.certificate], [BRANCH.certificate])
    for others in product((ROOT.certificate, BRANCH.certificate), repeat=MAX_PATH):
        anchors.validate(SUN.certificate, others, NOW)
    for others in product((ROOT.certificate, BRANCH.certificate), repeat=2):
        anchors.validate(SUN.certificate, others, NOW)
    assert len(anchors._paths) == 1024


def test_more_certificates_than_a_path_has_are_not_looked_at() -> None:
    """Case E16."""
    others = [BRANCH.certificate] * (MAX_PATH + 1)
    with pytest.raises(CertificateRefused, match="12 certificates, at most 11"):
        ANCHORS.validate(SUN.certificate, others, NOW)


def test_a_path_that_is_too_long_is_refused() -> None:
    """Case E16."""
    holders = [authority("CN=0", ROOT)]
    for number in range(1, MAX_PATH + 2):
        holders.append(authority(f"CN={number}", holders[-1]))
    known = [holder.certificate for holder in holders]
    leaf = certify("CN=leaf", holders[-1])
    with pytest.raises(CertificateRefused, match="a path of 14 certificates, at most 10"):
        TrustAnchors([ROOT.certificate], known).validate(leaf.certificate, [], NOW)


def test_authorities_that_certify_each_other_lead_nowhere() -> None:
    """Case E16: A signs B signs A."""
    first = authority("CN=A")
    second = authority("CN=B", first)
    again = certify("CN=A", second, [(x509.BasicConstraints(True, None), True)], first.key)
    leaf = certify("CN=leaf", first)
    with pytest.raises(CertificateRefused):
        ANCHORS.validate(leaf.certificate, [again.certificate, second.certificate], NOW)


KEYS: dict[str, PrivateKey] = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "brainpool": ec.generate_private_key(ec.BrainpoolP384R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "ed448": ed448.Ed448PrivateKey.generate(),
    "mldsa65": mldsa.MLDSA65PrivateKey.generate(),
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_keys_of_every_kind_are_certified(key: PrivateKey) -> None:
    leaf = certify("CN=leaf", ROOT, key=key)
    path = ANCHORS.validate(leaf.certificate, [], NOW)
    assert public_key_of(path.end_entity) == key.public_key()


@given(st.binary(max_size=200))
def test_octets_that_are_no_certificate_are_refused(octets: bytes) -> None:
    """Case E28."""
    with pytest.raises(CertificateRefused):
        read_certificate(octets)


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@given(st.data())
def test_a_certificate_with_a_changed_octet_never_raises_anything_else(data: st.DataObject) -> None:
    """Case E28."""
    octets = bytearray(SUN.certificate.public_bytes(Encoding.DER))
    at = data.draw(st.integers(0, len(octets) - 1))
    octets[at] ^= data.draw(st.integers(1, 255))
    try:
        changed = read_certificate(bytes(octets))
        public_key_of(changed)
        ANCHORS.validate(changed, [BRANCH.certificate], NOW)
    except CertificateRefused as refused:
        assert re.search(r"\w", str(refused))
    else:
        pytest.fail("a certificate somebody has changed was believed")


def test_a_huge_certificate_is_not_read() -> None:
    """Case E16."""
    with pytest.raises(CertificateRefused, match="a certificate of 65536 octets"):
        read_certificate(bytes(65536))


def test_a_certificate_that_openssl_alone_cannot_read_is_refused() -> None:
    """Case E28."""
    octets = SUN.certificate.public_bytes(Encoding.DER)
    octets = octets.replace(b"\x0c\x03sun", b"\x04\x03sun")
    with pytest.raises(CertificateRefused, match="CN=sun: OpenSSL cannot read it"):
        ANCHORS.validate(read_certificate(octets), [], NOW)
