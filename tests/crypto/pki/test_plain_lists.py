"""Which lists a glance answers for, and what it says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ikeactors.crypto.pki import plain_lists
from ikeactors.crypto.pki.plain_lists import plain_list_of
from tests.crypto.pki.making import NOW, Extensions, authority, certify
from tests.crypto.pki.revoking import AT, HOUR, crl_of, points

ROOT = authority("CN=root")
OTHER = authority("CN=root")
GOOD = certify("CN=good", ROOT)
REVOKED = certify("CN=revoked", ROOT)


def test_who_is_not_on_the_list_is_cleared_while_the_list_holds() -> None:
    plain = plain_list_of(crl_of(ROOT, REVOKED), ROOT.certificate)
    assert plain is not None
    assert plain.clears(GOOD.certificate, NOW)
    assert not plain.clears(REVOKED.certificate, NOW)
    for at in (AT - 2 * HOUR, AT + HOUR):
        assert not plain.clears(GOOD.certificate, at.timestamp())


SCOPE = x509.IssuingDistributionPoint(None, None, True, False, None, False, False)
SIGNING = x509.KeyUsage(False, False, False, False, False, True, False, False, False)
NO_SIGNER = certify("CN=root", None, [(SIGNING, True)])
FRESHEST: Extensions = points("http://delta/", kind=x509.FreshestCRL)

NOT_PLAIN = {
    "signed by another": (crl_of(ROOT, key=OTHER), ROOT),
    "of another": (crl_of(authority("CN=other")), ROOT),
    "for users alone": (crl_of(ROOT, extensions=[(SCOPE, True)]), ROOT),
    "a delta": (crl_of(ROOT, extensions=[(x509.DeltaCRLIndicator(1), True)]), ROOT),
    "with deltas": (crl_of(ROOT, extensions=FRESHEST), ROOT),
    "of who may sign certificates only": (crl_of(NO_SIGNER), NO_SIGNER),
}


@pytest.mark.parametrize("what", NOT_PLAIN)
def test_other_lists_are_left_to_openssl(what: str) -> None:
    """Case E22."""
    crl, issuer = NOT_PLAIN[what]
    assert plain_list_of(crl, issuer.certificate) is None


def test_an_entry_for_another_issuer_makes_a_list_one_for_openssl() -> None:
    names = x509.CertificateIssuer([x509.DirectoryName(GOOD.certificate.subject)])
    entry = (
        x509.RevokedCertificateBuilder()
        .serial_number(7)
        .revocation_date(datetime(2026, 5, 1, tzinfo=UTC))
        .add_extension(names, critical=True)
        .build()
    )
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ROOT.certificate.subject)
        .last_update(AT - HOUR)
        .next_update(AT + HOUR)
        .add_revoked_certificate(entry)
    )
    crl = builder.sign(ROOT.key, hashes.SHA256())  # type: ignore[arg-type]
    assert plain_list_of(crl, ROOT.certificate) is None


def test_a_long_list_is_not_kept_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_lists, "MAX_SERIALS", 1)
    assert plain_list_of(crl_of(ROOT, REVOKED), ROOT.certificate) is not None
    assert plain_list_of(crl_of(ROOT, GOOD, REVOKED), ROOT.certificate) is None


def test_a_point_for_some_reasons_is_not_answered_by_a_glance() -> None:
    reasons = frozenset({x509.ReasonFlags.key_compromise})
    name = x509.UniformResourceIdentifier("http://crl/")
    some = x509.CRLDistributionPoints([x509.DistributionPoint([name], None, reasons, None)])
    leaf = certify("CN=leaf", ROOT, [(some, False)])
    plain = plain_list_of(crl_of(ROOT), ROOT.certificate)
    assert plain is not None
    assert not plain.clears(leaf.certificate, NOW)
