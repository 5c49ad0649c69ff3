"""Certificates by hash and URL: who may name them, from where they come, what is believed."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from ikeactors.iana import CertificateEncoding
from ikeactors.protocol.actions import FetchCertificates
from ikeactors.wire.bundles import write_bundle
from ikeactors.wire.payload import Certificate, Payload
from tests.crypto.pki.making import NOW, Holder
from tests.pair import Pair, opposite
from tests.protocol.forging import added, authenticating, change_sealed
from tests.protocol.ikev2.test_public_keys import (
    BRANCH,
    EAST_HOLDER,
    WEST_HOLDER,
    by_key,
    holder,
    keyring,
    pair_of,
    signing,
)

BASE = "http://certs.example/"


def der(holder: Holder) -> bytes:
    return holder.certificate.public_bytes(Encoding.DER)


def place_of(holder: Holder) -> str:
    return BASE + hashlib.sha1(der(holder)).hexdigest()


def two(*urls: str) -> Pair:
    """Both have a place for theirs; believed from these places are the other's."""
    west = by_key("west.example", cert_uri_base=BASE)
    east = by_key("east.example", cert_uri_base=BASE)
    ours = signing(local=west, remote=replace(east, cert_urls=urls, cert_uri_base=""))
    theirs = replace(
        opposite(signing(local=west, remote=east)),
        remote=replace(west, cert_urls=urls, cert_uri_base=""),
    )
    pair = pair_of(WEST_HOLDER, EAST_HOLDER)
    pair.west.association.connection = ours
    pair.west_settings = replace(pair.west_settings, connections=(ours,))
    pair.east_settings = replace(pair.east_settings, connections=(theirs,))
    pair.east.association = pair.responder()
    web = {place_of(one): der(one) for one in (WEST_HOLDER, EAST_HOLDER)}
    pair.west.web, pair.east.web = dict(web), dict(web)
    return pair


def lookups(pair: Pair) -> list[tuple[tuple[bytes, str], ...]]:
    ends = (pair.east, pair.west)
    return [one.names for end in ends for one in end.actions if isinstance(one, FetchCertificates)]


def test_certificates_come_from_where_their_hashes_say() -> None:
    """(RFC 7296 section 3.6)"""
    pair = two(BASE).establish()
    assert "N(HTTP_CERT_LOOKUP_SUPPORTED)" in pair.trace[1]
    assert "N(HTTP_CERT_LOOKUP_SUPPORTED)" in pair.trace[2]
    assert [names[0][1] for names in lookups(pair)] == [
        place_of(WEST_HOLDER),
        place_of(EAST_HOLDER),
    ]
    for end in pair.ends():
        assert end.said("peer-key-checked")


def test_it_is_off_unless_said_otherwise() -> None:
    """E21"""
    pair = two().establish()
    assert not lookups(pair)
    assert "HTTP_CERT_LOOKUP_SUPPORTED" not in "".join(pair.trace)


def test_nothing_is_fetched_from_elsewhere() -> None:
    """E21"""
    pair = authenticating(two("http://certs.example/ours/"))
    pair.settle()
    assert not pair.east.association.established
    (report,) = pair.east.said("certificate-not-fetched")
    assert report.text.endswith(f"{place_of(WEST_HOLDER)} is not in cert_urls")
    assert not lookups(pair)


@pytest.mark.parametrize("served", [b"", b"junk", der(EAST_HOLDER)])
def test_what_has_another_hash_is_no_certificate(served: bytes) -> None:
    """E21"""
    pair = two(BASE)
    pair.east.web[place_of(WEST_HOLDER)] = served
    pair.initiate()
    pair.settle()
    (report,) = pair.east.said("authentication-failed")
    assert "sends no certificate" in report.text


def test_what_is_not_there_is_said() -> None:
    pair = two(BASE)
    pair.west.web.clear()
    pair.initiate()
    pair.settle()
    (report,) = pair.west.said("certificate-not-fetched")
    assert report.text.endswith(f"{place_of(EAST_HOLDER)}: 404")
    assert "sends no certificate" in pair.west.association.failure


def test_a_message_has_few_of_them_looked_up() -> None:
    """E21"""
    pair = authenticating(two(BASE))
    kind = CertificateEncoding.HASH_URL_X509
    more = [Certificate(kind, bytes([place] * 20) + BASE.encode()) for place in range(50)]
    change_sealed(pair, pair.flights[0], added(*more))
    pair.settle()
    assert len(lookups(pair)[0]) == 4


@pytest.mark.parametrize(
    "data",
    [b"", bytes(20), bytes(19), bytes(20) + b"\xff\xfe\x00", bytes(20) + BASE.encode() * 100],
)
def test_a_name_that_makes_no_sense_is_looked_up_by_nobody(data: bytes) -> None:
    pair = authenticating(two(BASE))

    def change(payloads: tuple[Payload, ...]) -> tuple[Payload, ...]:
        wrong = Certificate(CertificateEncoding.HASH_URL_X509, data)
        return tuple(wrong if isinstance(one, Certificate) else one for one in payloads)

    change_sealed(pair, pair.flights[0], change)
    pair.settle()
    assert not pair.east.association.established
    assert not lookups(pair)


LEAF = holder("west", issuer=BRANCH)


def bundled(octets: bytes = write_bundle([der(LEAF), der(BRANCH)])) -> Pair:
    """The western end names a bundle, which holds the branch that nobody else knows."""
    west = by_key("west.example", cert_uri_base=BASE, cert_uri_bundle=True)
    ours = signing(local=west)
    theirs = replace(opposite(ours), remote=replace(west, cert_urls=(BASE,), cert_uri_base=""))
    credentials = {"west": keyring(LEAF, BRANCH), "east": keyring(EAST_HOLDER)}
    pair = Pair(ours, theirs, credentials=credentials, wall_clock=NOW)
    expected = write_bundle([der(LEAF), der(BRANCH)])
    pair.east.web[BASE + hashlib.sha1(expected).hexdigest()] = octets
    return pair


def test_a_bundle_holds_the_certificates_above_as_well() -> None:
    """(RFC 7296 section 3.6)"""
    pair = bundled().establish()
    assert "SK {IDi, CERT, CERTREQ, IDr" in pair.trace[2]
    ((name,),) = lookups(pair)
    assert name[1].startswith(BASE)
    said = pair.east.said("peer-key-checked")[0].text
    assert said.endswith("CN=west <- CN=branch <- CN=root")


def test_a_bundle_that_cannot_be_read_is_told() -> None:
    """E21"""
    pair = authenticating(bundled(b"junk"))

    def change(payloads: tuple[Payload, ...]) -> tuple[Payload, ...]:
        data = hashlib.sha1(b"junk").digest() + f"{BASE}junk".encode()
        wrong = Certificate(CertificateEncoding.HASH_URL_X509_BUNDLE, data)
        return tuple(wrong if isinstance(one, Certificate) else one for one in payloads)

    pair.east.web[f"{BASE}junk"] = b"junk"
    change_sealed(pair, pair.flights[0], change)
    pair.settle()
    (report,) = pair.east.said("certificate-not-fetched")
    assert "a bundle that cannot be read" in report.text
    assert not pair.east.association.established
