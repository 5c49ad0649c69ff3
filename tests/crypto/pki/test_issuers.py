"""Below an authority that OpenSSL has found good: what is looked at alone, and what never is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.x509.oid import CertificatePoliciesOID

from ikeactors.crypto.pki.issuers import MAX_ISSUERS, REMEMBERED_FOR, ProvenIssuers
from ikeactors.crypto.pki.paths import TrustAnchors
from ikeactors.errors import CertificateRefused
from tests.crypto.pki.making import NOW, Extensions, Holder, authority, certify
from tests.crypto.pki.revoking import points


def named(holder: Holder) -> Extensions:
    """The key identifiers that certificates of this issuer have."""
    key = holder.certificate.public_key()
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(key)  # type: ignore[arg-type]
    return [(identifier, False)]


def own(key: Holder) -> Extensions:
    return [(x509.SubjectKeyIdentifier.from_public_key(key.key.public_key()), False)]


def authority_with_identifier(
    subject: str, issuer: Holder | None = None, more: Extensions = ()
) -> Holder:
    """An authority whose certificate says by what name its key goes."""
    first = authority(subject, issuer)
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    extensions = [(constraints, True), *own(first), *more]
    return certify(subject, issuer, extensions, first.key)


ROOT = authority_with_identifier("CN=root")
BRANCH = authority_with_identifier("CN=branch", ROOT)
FIRST = certify("CN=first", BRANCH, named(BRANCH))


@dataclass(slots=True)
class Noted:
    """Authorities that have had a first path through them validated."""

    branch: Holder = BRANCH
    first: Holder = FIRST
    issuers: ProvenIssuers = field(default_factory=ProvenIssuers)

    def __post_init__(self) -> None:
        path = (self.first.certificate, self.branch.certificate, ROOT.certificate)
        self.issuers.note(path, NOW)

    def path_of(self, leaf: Holder, at: float = NOW) -> tuple[x509.Certificate, ...] | None:
        return self.issuers.path_of(leaf.certificate, [self.branch.certificate], (), at)


def test_a_second_certificate_of_an_authority_is_looked_at_alone() -> None:
    leaf = certify("CN=second", BRANCH, named(BRANCH))
    assert Noted().path_of(leaf) == (leaf.certificate, BRANCH.certificate, ROOT.certificate)


def test_what_is_found_is_what_openssl_finds() -> None:
    anchors = TrustAnchors([ROOT.certificate])
    for number in range(3):
        leaf = certify(f"CN={number}", BRANCH, [*named(BRANCH), *points("http://crl/")])
        path = anchors.validate(leaf.certificate, [BRANCH.certificate], NOW)
        afresh = TrustAnchors([ROOT.certificate])
        assert path == afresh.validate(leaf.certificate, [BRANCH.certificate], NOW)


IMPOSTOR = authority_with_identifier("CN=branch", ROOT)

# What makes a certificate one for OpenSSL to judge.
NOT_PLAIN: dict[str, Holder] = {
    "signed by another key": certify("CN=leaf", IMPOSTOR, named(BRANCH)),
    "of another name": certify("CN=leaf", authority("CN=trunk", ROOT), named(BRANCH)),
    "without its issuer's key identifier": certify("CN=leaf", BRANCH),
    "an authority": authority("CN=leaf", BRANCH, named(BRANCH)),
    "expired": certify(
        "CN=leaf", BRANCH, named(BRANCH), not_after=datetime(2026, 5, 1, tzinfo=UTC)
    ),
    "of the future": certify(
        "CN=leaf", BRANCH, named(BRANCH), not_before=datetime(2026, 7, 1, tzinfo=UTC)
    ),
    "with an extension nobody knows": certify(
        "CN=leaf",
        BRANCH,
        [
            *named(BRANCH),
            (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),
        ],
    ),
    "with policies": certify(
        "CN=leaf",
        BRANCH,
        [
            *named(BRANCH),
            (
                x509.CertificatePolicies(
                    [x509.PolicyInformation(CertificatePoliciesOID.ANY_POLICY, None)]
                ),
                False,
            ),
        ],
    ),
}


@pytest.mark.parametrize("leaf", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_what_is_not_plain_is_left_to_openssl(leaf: Holder) -> None:
    assert Noted().path_of(leaf) is None


@pytest.mark.parametrize("what", ["signed by another key", "expired", "of the future"])
def test_beside_a_good_certificate_a_bad_one_is_refused_as_ever(what: str) -> None:
    """Case E19: the authority is known by then, and what OpenSSL says of the certificate counts."""
    anchors = TrustAnchors([ROOT.certificate])
    anchors.validate(FIRST.certificate, [BRANCH.certificate], NOW)
    with pytest.raises(CertificateRefused):
        anchors.validate(NOT_PLAIN[what].certificate, [BRANCH.certificate], NOW)


LAN = x509.NameConstraints([x509.DNSName("example.org")], None)
REACHING: dict[str, x509.ExtensionType] = {
    "name constraints": LAN,
    "policy constraints": x509.PolicyConstraints(0, None),
    "no mapping": x509.InhibitAnyPolicy(0),
}


@pytest.mark.parametrize("extension", REACHING.values(), ids=REACHING)
def test_an_authority_with_a_say_below_it_is_not_remembered(
    extension: x509.ExtensionType,
) -> None:
    branch = authority_with_identifier("CN=branch", ROOT, [(extension, True)])
    first, second = (certify(f"CN={number}", branch, named(branch)) for number in (1, 2))
    assert Noted(branch, first).path_of(second) is None


def test_who_does_not_send_the_authority_along_finds_no_path_by_those_who_did() -> None:
    leaf = certify("CN=second", BRANCH, named(BRANCH))
    assert Noted().issuers.path_of(leaf.certificate, (), (), NOW) is None
    anchors = TrustAnchors([ROOT.certificate])
    anchors.validate(FIRST.certificate, [BRANCH.certificate], NOW)
    with pytest.raises(CertificateRefused, match="unable to get local issuer"):
        anchors.validate(leaf.certificate, [], NOW)


def test_an_authority_is_looked_at_anew_after_an_hour() -> None:
    leaf = certify("CN=second", BRANCH, named(BRANCH))
    assert Noted().path_of(leaf, NOW + REMEMBERED_FOR - 1.0) is not None
    assert Noted().path_of(leaf, NOW + REMEMBERED_FOR) is None
    assert Noted().path_of(leaf, NOW - 1.0) is None


def test_an_authority_that_has_expired_meanwhile_stands_for_nobody() -> None:
    first = authority("CN=short", ROOT)
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    end = datetime(2026, 6, 1, 0, 10, tzinfo=UTC)
    short = certify("CN=short", ROOT, [(constraints, True), *own(first)], first.key, not_after=end)
    one, other = (certify(f"CN={number}", short, named(short)) for number in (1, 2))
    noted = Noted(short, one)
    assert noted.path_of(other) is not None
    assert noted.path_of(other, end.timestamp() + 1.0) is None


def test_authorities_fill_no_memory() -> None:
    issuers = ProvenIssuers()
    key = authority("CN=0").key
    for number in range(MAX_ISSUERS + 10):
        octets = number.to_bytes(20, "big")
        identifier: Extensions = [(x509.SubjectKeyIdentifier(octets), False)]
        issuer = certify(f"CN={number}", None, identifier, key)
        issuers.note((FIRST.certificate, issuer.certificate), NOW)
    assert len(issuers._paths) == MAX_ISSUERS
