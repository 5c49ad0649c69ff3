"""Where certificates say that their revocation can be asked."""

from __future__ import annotations

from cryptography import x509

from ikeactors.crypto.pki.places import deltas_of, places_of
from tests.crypto.pki.making import authority, certify, name
from tests.crypto.pki.revoking import crl_of, points, responders

ROOT = authority("CN=root")


def test_lists_deltas_and_responders_are_found_in_their_order() -> None:
    extensions = [
        *points("http://a/1.crl", "https://b/2.crl"),
        *points("http://a/delta.crl", kind=x509.FreshestCRL),
        *responders("http://ocsp.a/", "http://ocsp.b/"),
    ]
    places = places_of(certify("CN=peer", ROOT, extensions).certificate)
    assert places.lists == ("http://a/1.crl", "https://b/2.crl")
    assert places.deltas == ("http://a/delta.crl",)
    assert places.responders == ("http://ocsp.a/", "http://ocsp.b/")
    assert places.is_named


def test_a_certificate_may_name_nobody() -> None:
    assert not places_of(certify("CN=peer", ROOT).certificate).is_named


def test_other_schemes_are_told_and_not_gone_to() -> None:
    """Case E20. An LDAP server comes last."""
    extensions = points("file:///etc/passwd", "ldap://x/", "http://a b/", "http://ok/")
    places = places_of(certify("CN=peer", ROOT, extensions).certificate)
    assert places.lists == ("http://ok/", "ldap://x/")
    assert places.unusable[0] == "file:///etc/passwd is no URL of http, https or ldap"
    certificate = certify("CN=peer", ROOT, responders("ldap://x/")).certificate
    assert places_of(certificate).unusable == ("ldap://x/ is no URL of http or https",)


def test_indirect_lists_are_refused_clearly() -> None:
    issuer = [x509.DirectoryName(name("CN=other"))]
    urls = [x509.UniformResourceIdentifier("http://a/")]
    extension = x509.CRLDistributionPoints([x509.DistributionPoint(urls, None, None, issuer)])
    places = places_of(certify("CN=peer", ROOT, [(extension, False)]).certificate)
    assert not places.lists
    assert places.unusable == ("an indirect CRL, of another issuer, is not believed",)


def test_a_hundred_places_are_four() -> None:
    extensions = points(*(f"http://a/{number}" for number in range(100)))
    assert len(places_of(certify("CN=peer", ROOT, extensions).certificate).lists) == 4


def test_a_list_says_where_its_changes_are() -> None:
    assert deltas_of(crl_of(ROOT)) == ()
    crl = crl_of(ROOT, extensions=points("http://a/delta", kind=x509.FreshestCRL))
    assert deltas_of(crl) == ("http://a/delta",)
