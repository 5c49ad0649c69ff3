"""NIST's Public Key Interoperability Test Suite: paths, policies and CRLs (version of 2011)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cryptography import x509

from ikeactors.crypto.pki.certificates import read_certificate, read_crl
from ikeactors.crypto.pki.crls import statuses_by_crl
from ikeactors.crypto.pki.paths import CertificationPath, TrustAnchors
from ikeactors.crypto.pki.policies import ANY_OR_NO_POLICY as ANY
from ikeactors.crypto.pki.policies import PolicyDemand
from ikeactors.crypto.pki.revocation import Revocation
from ikeactors.errors import CertificateRefused
from ikeactors.wire.names import ComparableName, comparable_name

vectors = pytest.importorskip("cryptography_vectors", reason="PKITS is in cryptography_vectors")
DATA = Path(vectors.__file__).parent / "x509/PKITS_data"
CERTIFICATES = sorted((DATA / "certs").glob("*.crt"))
# A time at which all that is to be valid is.
AT = 1_400_000_000.0

_TWO_LISTS = "two lists of one issuer under two keys at once: OpenSSL takes one, and refuses"

NOT_APPLICABLE = {
    "BasicSelfIssuedCRLSigningKeyTest6": _TWO_LISTS,
    "BasicSelfIssuedNewWithOldTest4": _TWO_LISTS,
    "DSAParameterInheritance": "DSA keys whose parameters stand in another certificate: no DSA",
    "IDPwithindirectCRL": "indirect CRLs are refused",
    "cRLIssuer": "indirect CRLs are refused",
}


def policies(*numbers: int) -> PolicyDemand:
    """The suite's policies by their numbers."""
    arc = "2.16.840.1.101.3.2.1.48"
    return PolicyDemand(tuple(f"{arc}.{number}" for number in numbers))


def explicit(*numbers: int) -> PolicyDemand:
    """The same, where a policy has to be valid."""
    return PolicyDemand(policies(*numbers).wanted, explicit=True)


# Those whose result depends on what is asked of them, or whose name does not tell it.
SETTINGS: dict[str, list[tuple[PolicyDemand, bool]]] = {
    "ValidCertificatePathTest1": [
        (ANY, True),
        (explicit(), True),
        (explicit(1), True),
        (explicit(2), False),
        (explicit(1, 2), True),
    ],
    "AllCertificatesNoPoliciesTest2": [(ANY, True), (explicit(), False)],
    "DifferentPoliciesTest3": [(ANY, True), (explicit(), False), (explicit(1, 2), False)],
    "DifferentPoliciesTest4": [(ANY, False)],
    "DifferentPoliciesTest5": [(ANY, False)],
    "OverlappingPoliciesTest6": [(ANY, True), (policies(1), True), (policies(2), False)],
    "DifferentPoliciesTest7": [(ANY, False)],
    "DifferentPoliciesTest8": [(ANY, False)],
    "DifferentPoliciesTest9": [(ANY, False)],
    "AllCertificatesSamePoliciesTest10": [(ANY, True), (policies(1), True), (policies(2), True)],
    "AllCertificatesanyPolicyTest11": [(ANY, True), (policies(1), True)],
    "DifferentPoliciesTest12": [(ANY, False)],
    "AllCertificatesSamePoliciesTest13": [
        (policies(1), True),
        (policies(2), True),
        (policies(3), True),
    ],
    "AnyPolicyTest14": [(policies(1), True), (policies(2), False)],
    "UserNoticeQualifierTest15": [(ANY, True)],
    "UserNoticeQualifierTest16": [(ANY, True)],
    "UserNoticeQualifierTest17": [(ANY, True)],
    "UserNoticeQualifierTest18": [(policies(1), True), (policies(2), True)],
    "UserNoticeQualifierTest19": [(ANY, True)],
    "CPSPointerQualifierTest20": [(ANY, True)],
    "ValidPolicyMappingTest1": [
        (policies(1), True),
        (policies(2), False),
        (PolicyDemand(explicit=True, inhibit_mapping=True), False),
    ],
    "InvalidPolicyMappingTest2": [(ANY, False), (PolicyDemand(inhibit_mapping=True), False)],
    "ValidPolicyMappingTest3": [(policies(1), False), (policies(2), True)],
    "ValidPolicyMappingTest5": [(policies(1), True), (policies(6), False)],
    "ValidPolicyMappingTest6": [(policies(1), True), (policies(6), False)],
    "ValidPolicyMappingTest12": [(policies(1), True), (policies(2), True)],
    "inhibitAnyPolicyTest3": [(ANY, True), (PolicyDemand(inhibit_any=True), False)],
}


Found = dict[ComparableName, list[x509.Certificate]]


def authorities() -> Found:
    """The certificates that may stand in a path, by their names."""
    found: Found = {}
    for path in CERTIFICATES:
        if path.stem.endswith("EE") or path.stem.startswith(("TrustAnchor", "DSAParameters")):
            continue
        certificate = read_certificate(path.read_bytes())
        found.setdefault(comparable_name(certificate.subject.public_bytes()), []).append(
            certificate
        )
    return found


def lists() -> dict[ComparableName, list[x509.CertificateRevocationList]]:
    found: dict[ComparableName, list[x509.CertificateRevocationList]] = {}
    for path in sorted((DATA / "crls").glob("*.crl")):
        crl = read_crl(path.read_bytes())
        found.setdefault(comparable_name(crl.issuer.public_bytes()), []).append(crl)
    return found


ROOT = read_certificate((DATA / "certs/TrustAnchorRootCertificate.crt").read_bytes())
ANCHORS = TrustAnchors([ROOT])
AUTHORITIES = authorities()
LISTS = lists()


def issuer_of(certificate: x509.Certificate) -> ComparableName:
    return comparable_name(certificate.issuer.public_bytes())


def above(certificate: x509.Certificate) -> list[x509.Certificate]:
    """The authorities a path may need, found by their names."""
    found: list[x509.Certificate] = []
    names = [issuer_of(certificate)]
    for name in names:
        new = [one for one in AUTHORITIES.get(name, []) if one not in found]
        found += new
        names += map(issuer_of, new)
    return found


def lists_for(path: CertificationPath) -> list[x509.CertificateRevocationList]:
    issuers = dict.fromkeys(map(issuer_of, path.certificates))
    return [crl for issuer in issuers for crl in LISTS.get(issuer, [])]


def check(certificate: x509.Certificate, demand: PolicyDemand) -> None:
    """As with `revocation = "strict"`: all of a path but the anchor is known to be good."""
    known = above(certificate)
    path = ANCHORS.validate(certificate, known[:10], AT, demand)
    crls = lists_for(path)
    for finding in statuses_by_crl(ANCHORS, path, crls, AT, known):
        if finding.status is not Revocation.GOOD:
            raise CertificateRefused(finding.text)


def cases(*, applicable: bool) -> list[object]:
    found: list[object] = []
    for path in CERTIFICATES:
        name = path.stem.removesuffix("EE")
        words = re.match(r"(Valid|Invalid)?((.*?)Test\d+)$", name)
        if name == path.stem or words is None:
            continue
        if applicable is bool({words[2], words[3]} & NOT_APPLICABLE.keys()):
            continue
        usual = [(ANY, words[1] == "Valid")]
        for number, (demand, valid) in enumerate(SETTINGS.get(name, usual), 1):
            found.append(pytest.param(path, demand, valid, id=f"{name}.{number}"))
    return found


@pytest.mark.filterwarnings("ignore:Parsed a serial number:UserWarning")
@pytest.mark.parametrize(("path", "demand", "valid"), cases(applicable=True))
def test_a_path_stands_as_the_suite_says(path: Path, demand: PolicyDemand, valid: bool) -> None:
    """(RFC 5280 section 6.1), (RFC 5280 section 6.3)"""
    try:
        check(read_certificate(path.read_bytes()), demand)
    except CertificateRefused as refused:
        assert not valid, str(refused)
    else:
        assert valid


@pytest.mark.parametrize(("path", "demand", "valid"), cases(applicable=False))
def test_what_is_not_supported_is_refused(path: Path, demand: PolicyDemand, valid: bool) -> None:
    with pytest.raises(CertificateRefused):
        check(read_certificate(path.read_bytes()), demand)
