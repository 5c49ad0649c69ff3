"""Two ends that prove by signatures who they are, and what they say when one does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from ikeactors.crypto.pki.profile import ExtendedKeyUsage
from ikeactors.crypto.signature_constraints import SignatureConstraint
from ikeactors.crypto.signatures import PrivateKey
from ikeactors.iana import CertificateEncoding, NotifyType
from ikeactors.protocol.actions import Level
from ikeactors.protocol.choices import SendCertificate
from ikeactors.protocol.keyring import Keyring, OwnCertificate
from ikeactors.protocol.settings import AuthSettings, ConnectionSettings, IdentityPattern
from ikeactors.wire.identities import Identity
from ikeactors.wire.payload import (
    Authentication,
    Certificate,
    CertificateRequest,
    IdentificationInitiator,
    Payload,
)
from tests.crypto.pki.making import NOW, Extensions, Holder, authority, certify
from tests.pair import WEST, Pair, connection, opposite
from tests.protocol.forging import answers, authenticating, change_clear, change_sealed, swapped

Payloads = tuple[Payload, ...]

ROOT = authority("CN=root")
BRANCH = authority("CN=branch", ROOT)


def holder(name: str, key: PrivateKey | None = None, *, issuer: Holder = ROOT) -> Holder:
    return certify(f"CN={name}", issuer, named(x509.DNSName(f"{name}.example")), key)


def named(*names: x509.GeneralName) -> Extensions:
    return [(x509.SubjectAlternativeName(names), False)]


def by_key(identity: str, text: str = "pubkey", **changes: object) -> AuthSettings:
    who = IdentityPattern(Identity.from_text(identity))
    constraint = SignatureConstraint.from_text(text)
    return AuthSettings("pubkey", who, constraint, **changes)  # type: ignore[arg-type]


def signing(west: str = "pubkey", east: str = "pubkey", **changes: object) -> ConnectionSettings:
    """A connection as the western end configures it, by the signatures both ends are to make."""
    settings = connection(local=by_key("west.example", west), remote=by_key("east.example", east))
    return replace(settings, **changes)  # type: ignore[arg-type]


def keyring(own: Holder, *known: Holder, anchor: Holder = ROOT) -> Keyring:
    certificates = [one.certificate for one in known]
    return Keyring([OwnCertificate(own.certificate, own.key)], [anchor.certificate], certificates)


def pair_of(
    west: Holder, east: Holder, settings: ConnectionSettings | None = None, *known: Holder
) -> Pair:
    credentials = {"west": keyring(west, *known), "east": keyring(east, *known)}
    return Pair(settings or signing(), credentials=credentials, wall_clock=NOW)


WEST_HOLDER, EAST_HOLDER = holder("west"), holder("east")

KEYS: dict[str, Callable[[], PrivateKey]] = {
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "brainpool": lambda: ec.generate_private_key(ec.BrainpoolP256R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ed448": ed448.Ed448PrivateKey.generate,
    "mldsa44": mldsa.MLDSA44PrivateKey.generate,
    "mldsa65": mldsa.MLDSA65PrivateKey.generate,
    "mldsa87": mldsa.MLDSA87PrivateKey.generate,
}


@pytest.mark.parametrize("kind", KEYS)
def test_signatures_of_every_kind_establish_an_ike_sa(kind: str) -> None:
    """(RFC 7427 section 3)"""
    pair = pair_of(holder("west", KEYS[kind]()), holder("east", KEYS[kind]())).establish()
    pair.assert_mirrored()
    for end in pair.ends():
        assert end.said("peer-key-checked")[0].text.endswith("<- CN=root")


def test_certificates_are_asked_for_and_sent() -> None:
    """(RFC 7296 section 1.2)"""
    pair = pair_of(WEST_HOLDER, EAST_HOLDER).establish()
    assert pair.trace[0].endswith("N(SIGNATURE_HASH_ALGORITHMS)")
    assert pair.trace[1].endswith("N(SIGNATURE_HASH_ALGORITHMS), CERTREQ")
    assert pair.trace[2].startswith("--> HDR, SK {IDi, CERT, CERTREQ, IDr, AUTH, ")
    assert pair.trace[3].startswith("<-- HDR, SK {IDr, CERT, AUTH, ")


def test_an_intermediate_certificate_is_sent_along() -> None:
    west = holder("west", issuer=BRANCH)
    credentials = {"west": keyring(west, BRANCH), "east": keyring(EAST_HOLDER)}
    pair = Pair(signing(), credentials=credentials, wall_clock=NOW).establish()
    assert "SK {IDi, CERT, CERT, CERTREQ, IDr" in pair.trace[2]
    said = pair.east.said("peer-key-checked")[0].text
    assert said.endswith("CN=west <- CN=branch <- CN=root")


def test_one_end_may_sign_and_the_other_have_a_pre_shared_key() -> None:
    settings = signing(
        remote=AuthSettings("psk", IdentityPattern(Identity.from_text("east.example")))
    )
    pair = pair_of(WEST_HOLDER, EAST_HOLDER, settings).establish()
    assert pair.trace[3].startswith("<-- HDR, SK {IDr, AUTH, ")


def silent_on_hashes(payloads: Payloads) -> Payloads:
    kind = NotifyType.SIGNATURE_HASH_ALGORITHMS
    return tuple(one for one in payloads if getattr(one, "type", None) is not kind)


@pytest.mark.parametrize(("kind", "method"), [("rsa", 1), ("p256", 9), ("p384", 10), ("p521", 11)])
def test_a_peer_that_knows_no_rfc_7427_gets_an_older_method(kind: str, method: int) -> None:
    """(RFC 7296 section 3.8)"""
    pair = pair_of(holder("west", KEYS[kind]()), EAST_HOLDER)
    pair.initiate()
    pair.deliver(pair.flights[0])
    change_clear(pair.flights[0], silent_on_hashes)
    pair.deliver(pair.flights[0])
    proof = next(one for one in answers(pair, pair.east)[0] if isinstance(one, Authentication))
    assert proof.method == method


def test_who_takes_the_hashes_out_of_the_first_messages_is_noticed() -> None:
    """Case E11."""
    pair = pair_of(WEST_HOLDER, EAST_HOLDER)
    pair.initiate()
    pair.deliver(pair.flights[0])
    change_clear(pair.flights[0], silent_on_hashes)
    pair.settle()
    assert pair.west.association.closed
    assert pair.west.association.failure.endswith("is wrong")


@pytest.mark.parametrize(
    ("east", "settings", "reason"),
    [
        pytest.param(
            holder("east", issuer=authority("CN=stranger")),
            signing(),
            "trusted are: CN=root",
            id="anchor",
        ),
        pytest.param(
            certify(
                "CN=east",
                ROOT,
                [
                    *named(x509.DNSName("east.example")),
                    (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
                ],
            ),
            signing(),
            "CN=east: its extended key usage has serverAuth only",
            id="usage",
        ),
        pytest.param(
            EAST_HOLDER,
            signing(remote=by_key("east.example", usage=ExtendedKeyUsage.REQUIRE)),
            "ipsecIKE is required",
            id="required usage",
        ),
        pytest.param(
            EAST_HOLDER, signing(east="rsa-3072"), "(ecdsa-256) is not one of rsa-3072", id="kind"
        ),
    ],
)
def test_the_initiator_says_why_it_does_not_believe_the_responder(
    east: Holder, settings: ConnectionSettings, reason: str
) -> None:
    """Cases E2, E6, E18."""
    pair = pair_of(WEST_HOLDER, east, settings)
    mirror = replace(opposite(settings), local=by_key("east.example"))
    pair.east_settings = replace(pair.east_settings, connections=(mirror,))
    pair.east.association = pair.responder()
    pair.initiate()
    pair.settle()
    assert reason in pair.west.association.failure


def test_the_responder_says_why_it_does_not_believe_the_initiator() -> None:
    pair = pair_of(holder("west", issuer=authority("CN=stranger")), EAST_HOLDER)
    pair.initiate()
    pair.settle()
    refused = pair.east.said("authentication-failed")[0].text
    assert "CN=west: unable to get local issuer certificate (CN=stranger)" in refused
    assert pair.west.association.closed
    assert not pair.east.sas


def test_a_certificate_does_not_stand_for_somebody_else() -> None:
    """Case E2."""
    settings = signing()
    anybody = replace(opposite(settings), remote=AuthSettings("pubkey"))
    credentials = {"west": keyring(WEST_HOLDER), "east": keyring(EAST_HOLDER)}
    pair = authenticating(Pair(settings, anybody, credentials=credentials, wall_clock=NOW))
    moon = IdentificationInitiator(Identity.from_text("moon.example"))
    change_sealed(pair, pair.flights[0], swapped(IdentificationInitiator, lambda _: moon))
    pair.settle()
    refused = pair.east.said("authentication-failed")[0].text
    assert "CN=west does not hold the identity moon.example; it holds CN=west, west" in refused


def test_certificates_that_nobody_asked_for_are_passed_over() -> None:
    """Case E24."""
    pair = authenticating(pair_of(WEST_HOLDER, EAST_HOLDER))
    unasked = tuple(
        Certificate(CertificateEncoding(number), b"unasked")
        for number in (1, 7, 11, 12, 13, 15, 99)
    )
    change_sealed(pair, pair.flights[0], lambda payloads: (*payloads[:1], *unasked, *payloads[1:]))
    pair.settle()
    pair.assert_mirrored()


@pytest.mark.parametrize(
    "request_",
    [
        CertificateRequest(CertificateEncoding.X509_SIGNATURE, bytes(range(256)) * 234),
        CertificateRequest(CertificateEncoding.X509_SIGNATURE, b"odd"),
        CertificateRequest(CertificateEncoding.X509_SIGNATURE, b""),
        CertificateRequest(CertificateEncoding(99), b"unknown"),
    ],
    ids=["very many", "odd", "empty", "unknown"],
)
def test_a_strange_request_for_certificates_is_no_obstacle(request_: CertificateRequest) -> None:
    """Case E23."""
    pair = authenticating(pair_of(WEST_HOLDER, EAST_HOLDER))
    change_sealed(pair, pair.flights[0], swapped(CertificateRequest, lambda _: request_))
    pair.settle()
    pair.assert_mirrored()


def test_without_a_key_of_our_own_nothing_is_sent() -> None:
    """Case E27."""
    pair = Pair(signing(), credentials={"east": keyring(EAST_HOLDER)}, wall_clock=NOW)
    pair.initiate()
    pair.settle()
    assert "there is no private key" in pair.west.association.failure
    assert len(pair.trace) == 2


def at_address(address: str) -> Holder:
    return certify("CN=west", ROOT, named(x509.IPAddress(ip_address(address))))


@pytest.mark.parametrize(
    ("address", "match", "believed"),
    [
        (str(WEST.address), True, True),
        ("192.0.2.77", True, False),
        ("192.0.2.77", False, True),
    ],
)
def test_an_identity_that_is_an_address_is_where_the_packets_come_from(
    address: str, match: bool, believed: bool
) -> None:
    """(RFC 4945 section 3.1.1)"""
    settings = signing(local=replace(by_key(address), match_address=match))
    pair = pair_of(at_address(address), EAST_HOLDER, settings)
    pair.initiate()
    pair.settle()
    assert pair.east.association.established is believed
    if not believed:
        text = pair.east.said("authentication-failed")[0].text
        assert f"says it is {address}, its packets come from {WEST.address}" in text


def raw_public(own: Holder) -> bytes:
    return own.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_raw_public_keys_need_no_certificates() -> None:
    """(RFC 7670 section 3)"""
    west, east = raw_public(WEST_HOLDER), raw_public(EAST_HOLDER)
    settings = signing(
        local=by_key("west.example", public_keys=(west,)),
        remote=by_key("east.example", public_keys=(east,)),
        send_cert=SendCertificate.ALWAYS,
    )
    credentials = {
        name: Keyring(raw_keys=[own.key])
        for name, own in (("west", WEST_HOLDER), ("east", EAST_HOLDER))
    }
    pair = Pair(settings, credentials=credentials, wall_clock=NOW).establish()
    assert "SK {IDi, CERT, IDr, AUTH" in pair.trace[2]
    pair.assert_mirrored()


def test_another_raw_public_key_is_refused() -> None:
    settings = signing(
        local=by_key("west.example", public_keys=(raw_public(WEST_HOLDER),)),
        send_cert=SendCertificate.ALWAYS,
    )
    mirror = opposite(settings)
    pinned = by_key("west.example", public_keys=(raw_public(EAST_HOLDER),))
    credentials = {"west": Keyring(raw_keys=[WEST_HOLDER.key]), "east": keyring(EAST_HOLDER)}
    pair = Pair(settings, replace(mirror, remote=pinned), credentials=credentials, wall_clock=NOW)
    pair.initiate()
    pair.settle()
    text = pair.east.said("authentication-failed")[0].text
    assert "west.example sends a public key the connection does not name" in text


def test_a_certificate_the_connection_names_needs_no_authority() -> None:
    west = holder("west", issuer=authority("CN=stranger"))
    pinned = by_key("west.example", certificates=(west.certificate.public_bytes(Encoding.DER),))
    settings = signing()
    pair = Pair(
        settings,
        replace(opposite(settings), remote=pinned),
        credentials={"west": keyring(west), "east": keyring(EAST_HOLDER)},
        wall_clock=NOW,
    ).establish()
    assert "which the connection names" in pair.east.said("peer-key-checked")[0].text


def test_a_peer_whose_certificate_is_known_need_not_send_it() -> None:
    settings = signing(send_cert=SendCertificate.NEVER)
    pair = pair_of(WEST_HOLDER, EAST_HOLDER, settings, WEST_HOLDER, EAST_HOLDER).establish()
    assert "SK {IDi, CERTREQ, IDr, AUTH" in pair.trace[2]


def test_an_expired_certificate_is_refused_with_its_dates() -> None:
    """Case E19."""
    pair = Pair(
        signing(),
        credentials={"west": keyring(WEST_HOLDER), "east": keyring(EAST_HOLDER)},
        wall_clock=NOW + 366 * 86400.0,
    )
    pair.initiate()
    pair.settle()
    assert (
        "2026-01-01 00:00 to 2027-01-01 00:00 UTC"
        in pair.east.said("authentication-failed")[0].text
    )


def test_who_authenticates_with_what_expires_soon_is_warned_of_it() -> None:
    soon = datetime.fromtimestamp(NOW, UTC) + timedelta(days=3, hours=1)
    names = named(x509.DNSName("west.example"))
    pair = pair_of(certify("CN=west", ROOT, names, not_after=soon), EAST_HOLDER).establish()
    (ours,) = pair.west.said("certificate-expires")
    assert ours.text.startswith("our certificate as west.example expires in 3 days, on 2026-06-04")
    (theirs,) = pair.east.said("certificate-expires")
    assert theirs.text.startswith("the path of west.example expires in 3 days")
    assert theirs.level is Level.WARNING
